// What the model says of itself: classes, size, how pictures are made square, threshold, temperature. It lies in the
// model's own file, in an entry "classifier" of the metadata that every ONNX file may have (protobuf, field 14).

const METADATA = 14, KEY = "classifier";

export function facts(model) {
  for (const [field, value] of fields(model)) {
    if (field !== METADATA) continue;
    const entry = Object.fromEntries([...fields(value)].map(([number, text]) => [number, new TextDecoder().decode(text)]));
    if (entry[1] === KEY) return JSON.parse(entry[2]);
  }
  throw new Error("the model does not say what its classes are; export it again");
}

// The fields of a protobuf message that hold bytes. The network itself, most of the file, is one of them: no copy is made.
function* fields(bytes) {
  let at = 0;
  const number = () => { // seven bits at a time, the lowest first
    let value = 0, scale = 1, byte;
    do { byte = bytes[at++]; value += (byte & 127) * scale; scale *= 128; } while (byte & 128);
    return value;
  };
  while (at < bytes.length) {
    const tag = number(), [field, kind] = [Math.floor(tag / 8), tag % 8];
    if (kind === 0) number();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) { const length = number(); yield [field, bytes.subarray(at, at += length)]; }
    else throw new Error("the model is damaged");
  }
}
