"use strict";
// What both pages share: marks on their way to the server, what it answers, and the keys of the classes. A page says in
// `desk` what is its own: `name`, `letters` that may be keys, how `many` keys; `adopt` takes the state of a row,
// `refuse` marks that were not made, and `sent` is called when nothing is left to send. `draw` and `KEYS` are the page's.
const byId = id => document.getElementById(id);
const make = (tag, name, text) => Object.assign(document.createElement(tag), { className: name || "", textContent: text || "" });
const number = count => count.toLocaleString("en");
const LARGEST = 1_500_000; // characters of marks that are sent together, unless one has more

let facts;                    // about the dataset, from the server
let undoable = [];            // marks that can be undone, the last one last
let pending = [];             // marks that the server has not acknowledged
let last = 0, failures = 0, counter = 0, sending = false;

// What the server has not acknowledged lies in localStorage, an entry each, under its place in time: it survives a
// reload, a crash and a closed tab. Every mark has an id, so sending it twice does no harm.
const shelf = () => `${desk.name}/${facts.key}/`;

function shelved() {
  return Object.keys(localStorage).filter(key => key.startsWith(shelf())).sort()
    .map(key => ({ key, mark: JSON.parse(localStorage.getItem(key)) }));
}

function submit(mark) {
  mark.id = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const key = `${shelf()}${String(Date.now()).padStart(15, "0")}-${String(counter++).padStart(8, "0")}-${mark.id}`;
  try { localStorage.setItem(key, JSON.stringify(mark)); } catch { /* full or forbidden: kept in memory */ }
  pending.push({ key, mark });
  send();
  return mark.id;
}

async function send() {
  if (sending) return;
  sending = true;
  while (pending.length) {
    const some = batch();
    try {
      await exchange(some.map(entry => entry.mark));
      pending.splice(0, some.length);
      for (const { key } of some) localStorage.removeItem(key);
      failures = 0;
    } catch (error) {
      failures += 1;
      tellSaved(error.message);
      await new Promise(wake => setTimeout(wake, Math.min(2000, 200 * failures)));
    }
    tellSaved();
  }
  sending = false;
  desk.sent?.();
}

function batch() {
  let count = 0, size = 0;
  while (count < Math.min(pending.length, 200) && (!count || size < LARGEST)) size += JSON.stringify(pending[count++].mark).length;
  return pending.slice(0, size > LARGEST && count > 1 ? count - 1 : count);
}

const rowsOf = mark => mark.rows || [mark.row];

async function exchange(marks) {
  const headers = { "Content-Type": "application/json" };
  const answer = await ask("marks", { method: "POST", headers, body: JSON.stringify({ marks, since: last }) });
  const sent = new Set(marks.map(mark => mark.id));
  const busy = new Set(pending.filter(entry => !sent.has(entry.mark.id)).flatMap(entry => rowsOf(entry.mark)));
  for (const state of answer.rows) if (!busy.has(state.row)) desk.adopt(state);
  last = answer.last;
  const refused = Object.entries(answer.refused);
  if (refused.length) {
    undoable = undoable.filter(mark => !(mark.id in answer.refused));
    desk.refuse?.(marks.filter(mark => mark.id in answer.refused));
    note(`not done: ${refused[0][1]}`);
  }
  if (answer.problem) note(answer.problem);
  draw();
}

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (answer.ok) return answer.json();
  const words = (await answer.json().catch(() => ({}))).detail;
  throw new Error(typeof words === "string" ? words : `the server says ${answer.status}`);
}

function tellSaved(problem) {
  const saved = byId("saved"), count = pending.length;
  saved.className = failures > 1 ? "away" : count ? "waiting" : "";
  saved.textContent = failures > 1
    ? `${count} not saved yet: ${problem === undefined || /fetch/i.test(problem) ? "the server is away" : problem}. They are kept and sent again.`
    : count ? `saving ${count}` : "all saved";
}

function note(words) { byId("note").textContent = words; }

// A class called 3 has the key 3 and no other has: then all labels are their own keys, or all have letters.
function keysOf(classes) {
  const free = key => !(key in KEYS);
  if (classes.every(name => [...name].length === 1 && free(name))) return classes;
  const digits = classes.some(name => /^[0-9]/.test(name)) ? "" : "1234567890";
  return [...`${digits}${desk.letters}`].filter(free).slice(0, Math.min(classes.length, desk.many));
}
