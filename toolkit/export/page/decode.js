// Files and frames as pixels, as `toolkit.images` opens them: upright, in sRGB, transparent parts over white, a large
// JPEG at a fraction of its size.

import { MAX_PIXELS, reduce } from "./square.js";

const BAND = 512; // rows read at a time: phones have canvases of a few megapixels only
const EXIF = 0x45786966; // as the letters of it
const SPARE = 2, SPARE_EIGHTH = 1.45; // times the result that a JPEG is kept at least; less of it at an eighth

// A file, and the part of it that is picture: { width, height, data, area }; `size` is what will be made of it.
export async function open(file, size) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (!bytes.length) throw new Error("an empty file");
  const begins = [...bytes.subarray(0, 4)].join();
  const jpeg = begins.startsWith("255,216"), webp = begins === "82,73,70,70";
  const tag = jpeg || webp ? orientationTag(bytes, jpeg) : null;
  const turned = tag ? tag.value : 1;
  // A JPEG is to come as it is stored, since its blocks are averaged as they lie, and not all browsers turn a WebP.
  // A PNG is turned by the browser.
  if (turned > 1) tag.clear();
  const bitmap = await createImageBitmap(new Blob([bytes], { type: file.type })).catch(() => {
    throw new Error("this browser cannot open it as a picture");
  });
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) throw new Error(`${width}×${height} pixels, too many`);
    const part = jpeg ? fraction(width, height, size) : 1;
    return upright(pixels(bitmap, part), [width / part, height / part], turned);
  } finally {
    bitmap.close();
  }
}

// What is drawn, over white; averaged over blocks of `part` × `part` pixels.
export function pixels(bitmap, part = 1) {
  const { width, height } = bitmap;
  const across = Math.ceil(width / part);
  const data = new Uint8ClampedArray(across * Math.ceil(height / part) * 4);
  const canvas = new OffscreenCanvas(width, Math.min(BAND, height));
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  for (let top = 0; top < height; top += BAND) {
    const rows = Math.min(BAND, height - top);
    context.fillStyle = "white";
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const band = context.getImageData(0, 0, width, rows);
    data.set((part > 1 ? reduce(band, part, part) : band).data, (top / part) * across * 4);
  }
  return { width: across, height: Math.ceil(height / part), data };
}

// By how much Python's decoder divides a JPEG. It averages, so the same can be done to the whole picture.
function fraction(width, height, size) {
  const shortest = Math.min(width, height), eighth = Math.ceil(SPARE_EIGHTH * size);
  const parts = Math.floor(shortest / (8 * eighth <= shortest ? eighth : SPARE * size));
  return [8, 4, 2].find(part => parts >= part) || 1;
}

// A picture turned as EXIF says, 1 to 8. Of its last column and row only a fraction may be picture: it ends at `right` and
// `bottom`, before it is turned.
function upright(picture, [right, bottom], turned) {
  const swapped = turned >= 5, { width, height, data: from } = picture;
  const mirrored = [2, 3, 6, 7].includes(turned), flipped = [3, 4, 7, 8].includes(turned);
  const left = mirrored ? (swapped ? height - bottom : width - right) : 0;
  const top = flipped ? (swapped ? width - right : height - bottom) : 0;
  const area = swapped ? [left, top, left + bottom, top + right] : [left, top, left + right, top + bottom];
  if (turned === 1) return { ...picture, area };
  const [across, down] = swapped ? [height, width] : [width, height];
  const [old, data] = [new Uint32Array(from.buffer), new Uint32Array(width * height)];
  for (let row = 0; row < down; row++) {
    const y = flipped ? down - 1 - row : row;
    for (let column = 0; column < across; column++) {
      const x = mirrored ? across - 1 - column : column;
      data[row * across + column] = swapped ? old[x * width + y] : old[y * width + x];
    }
  }
  return { width: across, height: down, data: new Uint8ClampedArray(data.buffer), area };
}

// Where a JPEG or WebP says how it lies: its value, and a way to make it say nothing; null if it does not.
function orientationTag(bytes, jpeg) {
  const view = new DataView(bytes.buffer);
  try {
    const start = jpeg ? exifOfJpeg(view) : exifOfWebp(view);
    if (!start) return null;
    const little = view.getUint8(start) === 0x49;
    const list = start + view.getUint32(start + 4, little);
    for (let entry = list + 2; entry < list + 2 + 12 * view.getUint16(list, little); entry += 12) {
      if (view.getUint16(entry, little) !== 0x0112) continue;
      const value = view.getUint16(entry + 8, little);
      return { value: value >= 1 && value <= 8 ? value : 1, clear: () => view.setUint16(entry + 8, 1, little) };
    }
  } catch { /* damaged: no reason to lose the picture */ }
  return null;
}

function exifOfJpeg(view) {
  for (let at = 2; view.getUint8(at) === 0xff && view.getUint8(at + 1) !== 0xda; at += 2 + view.getUint16(at + 2))
    if (view.getUint8(at + 1) === 0xe1 && view.getUint32(at + 4) === EXIF) return at + 10;
  return 0;
}

function exifOfWebp(view) {
  for (let at = 12; at + 8 < view.byteLength; at += 8 + 2 * Math.ceil(view.getUint32(at + 4, true) / 2))
    if (view.getUint32(at) === 0x45584946) return at + (view.getUint32(at + 8) === EXIF ? 14 : 8);
  return 0;
}
