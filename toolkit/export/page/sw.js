// Keeps the whole page on the device, so that it works without a network, and lets nothing through to other hosts.

const KEPT = { version: "", files: [] }; // filled in by the export

self.addEventListener("install", event => {
  const asked = KEPT.files.map(file => new Request(file, { cache: "no-cache" })); // no old file among new ones
  event.waitUntil(caches.open(name()).then(cache => cache.addAll(asked)));
});

self.addEventListener("activate", event => {
  const old = names => names.filter(one => one.startsWith(registration.scope) && one !== name());
  event.waitUntil(caches.keys().then(names => Promise.all(old(names).map(one => caches.delete(one)))));
});

self.addEventListener("fetch", event => {
  const address = new URL(event.request.url);
  if (address.origin !== location.origin) event.respondWith(Response.error());
  else if (event.request.method === "GET") event.respondWith(kept(event.request));
});

async function kept(request) {
  const cache = await caches.open(name());
  return (await cache.match(request, { ignoreSearch: true })) || fetch(request);
}

function name() { // other pages of this host have caches of their own
  return registration.scope + " " + KEPT.version;
}
