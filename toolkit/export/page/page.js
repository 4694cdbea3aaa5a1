// The page: takes pictures and the camera, shows what the worker says of them. The network is asked in worker.js.

const SHOWN = 5;       // bars at most
const FAMILIAR = 0.5;  // familiarity from which on a picture is like what was learned
const SETTLED = 2000;  // milliseconds over which pictures per second are counted
const byId = id => document.getElementById(id);
const make = (tag, name, text) => Object.assign(document.createElement(tag), { className: name || "", textContent: text || "" });
const percent = share => `${(100 * share).toFixed(1)}%`;

let facts;                   // about the model, from its own file
let worker;
const waiting = new Map();   // number of a question: who wants the answer
let asked = 0;

byId("stuck").hidden = true; // this script runs

// The worker. From an address of the page's own making it is under the page's Content-Security-Policy, which lets nothing
// go to other hosts; a browser that cannot do this gets it from the server.

function begin(address, otherwise) {
  worker = new Worker(address, { type: "module" });
  let heard = false;
  worker.onmessage = ({ data }) => { heard = true; hear(data); };
  worker.onerror = event => {
    event.preventDefault();
    if (!heard && otherwise) { worker.terminate(); begin(otherwise); } else fail(event.message || "this browser is too old for it");
  };
}

function hear({ id, loaded, facts: told, failed, ...answer }) {
  if (loaded) tell(loaded);
  else if (told) open(told);
  else if (failed) fail(failed);
  else if (waiting.has(id)) { waiting.get(id)(answer); waiting.delete(id); }
}

function ask(what, handed = []) {
  return new Promise(done => { waiting.set(++asked, done); worker.postMessage({ id: asked, ...what }, handed); });
}

function tell(loaded) {
  const all = Number(document.documentElement.dataset.bytes);
  byId("progress").value = loaded;
  byId("state").textContent = loaded < all ? `Loading the model: ${(loaded / 1e6).toFixed(1)} of ${(all / 1e6).toFixed(1)} MB` : "Starting it";
}

function fail(reason) {
  byId("loading").classList.add("failed");
  byId("progress").hidden = true;
  byId("state").textContent = `It does not start: ${reason}`;
}

function open(told) {
  facts = told;
  document.body.classList.add(facts.resize_mode);
  byId("loading").hidden = true;
  byId("empty").hidden = byId("about").hidden = false;
  byId("files").disabled = byId("camera").disabled = false;
  const rows = {
    "names": facts.classes.join(", "),
    "network": `${facts.network}, ${facts.size} × ${facts.size} pixels (${facts.resize_mode})`,
    "trained as": facts.run,
    "not sure below": facts.threshold ? percent(facts.threshold) : "never: it always answers",
    "temperature": `${Number(facts.temperature).toFixed(3)}, in its weights already`,
    "toolkit": facts.toolkit,
  };
  for (const [name, value] of Object.entries(rows)) byId("facts").append(make("dt", "", name), make("dd", "", value));
  keep();
}

// An answer, drawn: the name, and a bar for each of the likeliest

function draw(place, probabilities, familiarity) {
  const order = probabilities.map((_, index) => index).sort((one, other) => probabilities[other] - probabilities[one]);
  const best = order[0], limit = facts.thresholds?.[facts.classes[best]] ?? facts.threshold, sure = probabilities[best] >= limit;
  const strange = familiarity < FAMILIAR; // not so where it is not known
  const name = make("p", "name", strange ? "unlike anything it learned" : sure ? facts.classes[best] : "not sure");
  if (sure && !strange) name.append(make("span", "", percent(probabilities[best])));
  const bars = make("div", "bars");
  // in a live picture the rows stay where they are if there are few; else the likeliest come first
  const shown = place.id === "seen" && order.length <= SHOWN ? probabilities.map((_, index) => index) : order.slice(0, SHOWN);
  for (const index of shown) {
    const bar = make("i");
    bar.style.setProperty("--share", probabilities[index]);
    bar.classList.toggle("best", index === best);
    bars.append(make("b", "", facts.classes[index]), bar, make("span", "", percent(probabilities[index])));
  }
  place.classList.toggle("unsure", strange || !sure);
  place.replaceChildren(name, bars);
  const held = facts.sets && order.filter((index, rank) => !rank || probabilities[index] >= facts.sets.limit);
  if (held?.length > 1) place.append(make("p", "held", `one of ${held.map(index => facts.classes[index]).join(", ")}`));
  return name.firstChild.textContent;
}

// Pictures

const counts = new Map();
let done = 0, chosen = 0, began = 0;
let taken = 0; // milliseconds of work so far: waiting for a person does not count

async function take(files) {
  if (!facts || !files.length) return;
  if (done === chosen) began = performance.now() - taken;
  chosen += files.length;
  byId("empty").hidden = true;
  byId("pictures").ariaLive = files.length === 1 ? "polite" : "off"; // read out, unless there are many
  const cards = [...files].map(file => [file, card(file)]);
  byId("pictures").prepend(...cards.map(([, place]) => place));
  for (const [file, place] of cards) { // one at a time: thousands in the worker's queue would be thousands in memory
    if (!place.isConnected) return; // cleared away
    const { probabilities, familiarity, error } = await ask({ file });
    if (place.isConnected) answered(place, probabilities, familiarity, error);
  }
}

function card(file) {
  const place = make("li"), frame = make("div", "frame"), image = make("img");
  Object.assign(image, { src: URL.createObjectURL(file), alt: "", loading: "lazy", decoding: "async" });
  image.onerror = () => { frame.textContent = "no picture"; };
  frame.append(image);
  place.append(frame, Object.assign(make("div", "answer"), { textContent: "…" }), make("p", "file", file.name || "pasted"));
  return place;
}

function answered(place, probabilities, familiarity, error) {
  const answer = place.querySelector(".answer");
  let said = "unreadable";
  if (error) {
    place.classList.add("failed");
    answer.replaceChildren(make("p", "name", error));
  } else {
    said = draw(answer, probabilities, familiarity);
    place.dataset.probabilities = JSON.stringify(probabilities); // for those who want all digits
    if (familiarity !== undefined) place.dataset.familiarity = familiarity;
  }
  counts.set(said, (counts.get(said) || 0) + 1);
  done += 1;
  taken = performance.now() - began;
  const rate = (1000 * done / taken).toFixed(1);
  const names = [...counts].sort(([one], [other]) => one.localeCompare(other)).map(([name, number]) => `${number} ${name}`);
  byId("counts").textContent = `${done < chosen ? `${done} of ${chosen}` : done} pictures: ${names.join(", ")} · ${rate} per second`;
  byId("summary").hidden = chosen < 2;
}

function clear() {
  for (const image of byId("pictures").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  byId("pictures").replaceChildren();
  counts.clear();
  [done, chosen, taken] = [0, 0, 0];
  byId("summary").hidden = true;
  byId("empty").hidden = !byId("live").hidden;
}

// The camera. One frame is with the worker at any time, and the next to go is the newest: nothing piles up.

const video = byId("video");
let stream = null, facing = "environment", times = [];
const nextFrame = video.requestVideoFrameCallback ? call => video.requestVideoFrameCallback(call) : requestAnimationFrame;

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    note(window.isSecureContext ? "This browser has no camera for pages." : "The camera needs an address that begins with https.");
    return;
  }
  closeCamera();
  try {
    const wish = { facingMode: facing, width: { ideal: 640 }, height: { ideal: 480 } };
    stream = await navigator.mediaDevices.getUserMedia({ video: wish, audio: false });
  } catch (error) {
    note(REASONS[error.name] || `The camera does not start: ${error.message}`);
    return;
  }
  const { facingMode } = stream.getVideoTracks()[0].getSettings();
  byId("live").classList.toggle("mirrored", (facingMode || facing) === "user");
  stream.getVideoTracks()[0].onended = closeCamera;
  video.srcObject = stream;
  await video.play().catch(() => {});
  note("");
  byId("live").hidden = false;
  byId("empty").hidden = true;
  byId("camera").textContent = "Stop";
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(device => device.kind === "videoinput");
  byId("switch").hidden = cameras.length < 2;
  times = [];
  look(stream);
}

const REASONS = {
  NotAllowedError: "The camera was not allowed. The browser's settings for this page can allow it.",
  NotFoundError: "There is no camera on this device.",
  NotReadableError: "The camera is in use by another program.",
};

async function look(mine) {
  if (stream !== mine) return;
  if (video.videoWidth) {
    const bitmap = await createImageBitmap(video);
    const { probabilities, familiarity, error } = await ask({ bitmap }, [bitmap]);
    if (stream !== mine) return;
    if (error) { closeCamera(); note(error); return; }
    draw(byId("seen"), probabilities, familiarity);
    byId("seen").dataset.probabilities = JSON.stringify(probabilities);
    const now = performance.now();
    times = [...times.filter(time => now - time < SETTLED), now];
    if (times.length > 2) byId("rate").textContent = `${(1000 * (times.length - 1) / (now - times[0])).toFixed(0)} per second`;
  }
  nextFrame(() => look(mine));
}

function closeCamera() {
  stream?.getTracks().forEach(track => track.stop());
  stream = video.srcObject = null;
  byId("live").hidden = byId("switch").hidden = true;
  byId("empty").hidden = !facts || Boolean(byId("pictures").children.length);
  byId("camera").textContent = "Camera";
  byId("rate").textContent = "";
  byId("seen").replaceChildren();
}

function note(words) { byId("note").textContent = words; }

// Kept on the device, so that it works without a network

async function keep() {
  let said = "only while there is a network: the page has to come over https for that";
  if (navigator.serviceWorker) {
    try {
      const { installing } = await navigator.serviceWorker.register("sw.js");
      const refused = new Promise((_, reject) => installing?.addEventListener("statechange", () => {
        if (installing.state === "redundant") reject(new Error("this device has no room to keep it"));
      }));
      await Promise.race([navigator.serviceWorker.ready, refused]);
      said = "also without a network: it is kept on this device";
      document.body.dataset.kept = "yes";
    } catch (error) { said = `only while there is a network: ${error.message}`; }
  }
  byId("facts").append(make("dt", "", "works"), make("dd", "", said));
}

byId("files").onchange = ({ target }) => { take([...target.files]); target.value = ""; }; // the same may be chosen again
byId("camera").onclick = () => (stream ? closeCamera() : openCamera());
byId("switch").onclick = () => { facing = facing === "user" ? "environment" : "user"; openCamera(); };
byId("clear").onclick = clear;
document.addEventListener("visibilitychange", () => { if (document.hidden) closeCamera(); }); // no camera runs unseen
document.addEventListener("paste", event => take([...event.clipboardData.files]));
document.addEventListener("dragover", event => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", event => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  take([...event.dataTransfer.files]);
});

const address = new URL("worker.js", import.meta.url).href;
begin(URL.createObjectURL(new Blob([`import ${JSON.stringify(address)};`], { type: "text/javascript" })), address);
