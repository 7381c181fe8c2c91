// Renews the page when a journal has grown. One stream serves all tabs of a browser: it allows six connections to a server.
"use strict";
const tabs = new BroadcastChannel("stagegate");

async function renew() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const open = [...document.querySelectorAll("details")].map((one) => one.open);
  page.querySelectorAll("details").forEach((one, at) => (one.open = open[at] ?? false));
  document.body.replaceWith(page.body);
  document.title = page.title;
}

function listen() {
  const stream = new EventSource("/events");
  stream.onmessage = () => {
    tabs.postMessage("changed");
    renew();
  };
  return new Promise(() => {});
}

tabs.onmessage = renew;
document.addEventListener("visibilitychange", renew);
// The tab that has the lock has the stream; when it is closed, the next one gets both.
if (navigator.locks) navigator.locks.request("stagegate-stream", listen);
else listen();
