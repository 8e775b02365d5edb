/* Fills the slots of a shop's page.
   <script src="https://door.example/onsite.js" data-visitor="TOKEN" defer></script>
   <div data-shopflow-slot="home" hidden></div> */
(() => {
  const me = document.currentScript;
  const door = new URL(me.src).origin;
  const visitor = me.dataset.visitor;
  if (!visitor) return;
  const make = (tag, text, name) => Object.assign(
    document.createElement(tag), { textContent: text, className: "shopflow-" + name });
  const isGone = (id) => {
    try { return localStorage.getItem("shopflow-gone-" + id); } catch { return null; }
  };
  const show = (place, content) => {
    if (!content || isGone(content.id)) return;
    if (content.image) {
      const picture = make("img", "", "image");
      picture.src = content.image;
      picture.alt = "";
      place.append(picture);
    }
    place.append(make("strong", content.title, "title"), make("p", content.body, "body"));
    for (const more of ["", "more_"]) {
      const url = content[more + "url"];
      if (!/^(https:\/\/|\/(?!\/))/.test(url)) continue;
      const link = make("a", content[more + "button"] || content.title, more + "link");
      link.href = url;
      place.append(link);
    }
    const french = document.documentElement.lang.startsWith("fr");
    const close = make("button", "\u00d7", "close");
    close.type = "button";
    close.setAttribute("aria-label", french ? "Fermer" : "Close");
    close.onclick = () => {
      place.hidden = true;
      try { localStorage.setItem("shopflow-gone-" + content.id, "1"); } catch { /* private */ }
    };
    place.append(close);
    place.hidden = false;
  };
  for (const place of document.querySelectorAll("[data-shopflow-slot]")) {
    const slot = encodeURIComponent(place.dataset.shopflowSlot);
    fetch(`${door}/v1/onsite/${slot}?visitor=${encodeURIComponent(visitor)}`, { credentials: "omit" })
      .then((answer) => (answer.ok ? answer.json() : {}))
      .then((told) => show(place, told.content))
      .catch(() => {});
  }
})();
