/* Fills the places of a shop's page that rules decide on.
   <script src="https://door.example/onsite.js" data-visitor="TOKEN" defer></script>
   <div data-shopflow-slot="home" hidden></div> */
(() => {
  const me = document.currentScript;
  const door = new URL(me.src).origin;
  const visitor = me.dataset.visitor;
  if (!visitor) return;
  const make = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    made.className = "shopflow-" + name;
    return made;
  };
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
    if (content.url && /^(https:\/\/|\/(?!\/))/.test(content.url)) {
      const link = make("a", content.button || content.title, "link");
      link.href = content.url;
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
      .catch(() => {});  // The page is whole without it.
  }
})();
