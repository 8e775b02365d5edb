/* Asks for notifications when a button of a shop's page is pressed, and tells the door.
   <script src="https://door.example/push.js" data-key="PUBLIC" data-visitor="TOKEN" defer></script>
   <button data-shopflow-push hidden>…</button> */
(() => {
  const me = document.currentScript;
  const door = new URL(me.src).origin;
  const { key, visitor = "", purpose = "marketing", worker = "/shopflow-worker.js" } = me.dataset;
  if (!key || !("PushManager" in window) || !("serviceWorker" in navigator)) return;
  const bytes = (text) => Uint8Array.from(
    atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const ask = async () => {
    if (await Notification.requestPermission() !== "granted") return false;
    await navigator.serviceWorker.register(worker);
    const registration = await navigator.serviceWorker.ready;
    const subscription = await registration.pushManager.subscribe(
      { userVisibleOnly: true, applicationServerKey: bytes(key) });
    const told = { subscription, purpose, locale: document.documentElement.lang };
    const answer = await fetch(`${door}/v1/push?visitor=${encodeURIComponent(visitor)}`,
      { method: "POST", credentials: "omit", body: JSON.stringify(told) });
    return answer.ok;
  };
  for (const button of document.querySelectorAll("[data-shopflow-push]")) {
    button.hidden = false;
    button.onclick = async () => {
      button.disabled = true;
      const done = await ask().catch(() => false);
      button.disabled = done;
      button.dispatchEvent(new CustomEvent("shopflow-push", { bubbles: true, detail: { done } }));
    };
  }
})();
