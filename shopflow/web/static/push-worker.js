/* Shows notifications; the shop's own worker, at its own address, says:
   importScripts("https://door.example/push-worker.js"); */
self.addEventListener("push", (event) => {
  const notice = event.data.json();
  event.waitUntil(
    self.registration.showNotification(notice.title, { ...notice, data: notice.url }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  if (event.notification.data) event.waitUntil(clients.openWindow(event.notification.data));
});
