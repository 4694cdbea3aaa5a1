// Asks the network, away from the page, which stays quick to the touch meanwhile.
//
//   from the page   { id, file } or { id, bitmap }
//   to the page     { loaded } bytes, { facts } when ready, { id, probabilities, familiarity, milliseconds }, { id, error }, { failed }

import { facts as told } from "./artifact.js";
import { open, pixels } from "./decode.js";
import * as runtime from "./runtime.js";
import { numbers, square } from "./square.js";

let loaded = 0;

async function load(name) {
  const answer = await fetch(new URL(name, import.meta.url), { cache: "no-cache" }); // asks whether it is still the same
  if (!answer.ok) throw new Error(`${name} is not there (${answer.status})`);
  const parts = [];
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    parts.push(value);
    loaded += value.length;
    postMessage({ loaded });
  }
}

async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes; // the host said it is compressed, and the browser unpacked it
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function start() {
  const [model, engine] = await Promise.all([load("model.onnx"), load("runtime.wasm.gz").then(unpacked)]);
  const facts = told(model);
  runtime.env.wasm.numThreads = 1; // more need headers that a plain host does not send
  runtime.env.wasm.wasmBinary = engine.buffer;
  const session = await runtime.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const answers = async picture => {
    const shape = [1, facts.size, facts.size, 3];
    const asked = { [session.inputNames[0]]: new runtime.Tensor("float32", numbers(picture), shape) };
    const given = await session.run(asked);
    const [probabilities, familiarity] = session.outputNames.map(name => Array.from(given[name].data));
    for (const output of Object.values(given)) output.dispose();
    return { probabilities, familiarity: familiarity?.[0] }; // a network of before gives no second output
  };
  await answers({ width: facts.size, height: facts.size, data: new Uint8ClampedArray(facts.size ** 2 * 4) }); // the first is slow
  return { facts, answers };
}

const ready = start();
ready.then(({ facts }) => postMessage({ facts }), error => postMessage({ failed: error.message }));

let before = ready; // one after the other: a session answers one question at a time
onmessage = ({ data }) => { before = before.then(() => answer(data), () => {}); };

async function answer({ id, file, bitmap }) {
  const { facts, answers } = await ready;
  try {
    const begun = performance.now();
    const picture = file ? await open(file, facts.size) : pixels(bitmap);
    const outputs = await answers(square(picture, facts.size, facts.resize_mode, picture.area));
    postMessage({ id, ...outputs, milliseconds: performance.now() - begun });
  } catch (error) {
    postMessage({ id, error: error.message });
  } finally {
    bitmap?.close();
  }
}
