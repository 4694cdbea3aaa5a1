// The square that `toolkit.images` makes in Python, made again here, number by number: Lanczos with antialiasing, in the
// fixed-point arithmetic of Pillow. A canvas scales in its own way, which differs from browser to browser, and a network
// would see other pictures here than those it learned from.
//
// A picture is { width, height, data }, four bytes per pixel as a canvas gives them; the fourth is not looked at.

export const MAX_PIXELS = 89_478_485; // as in Python
const SUPPORT = 3;                    // of Lanczos, in pixels of the result
const GAP = 3;                        // what is scaled further down than this is first reduced by whole numbers
const BITS = 22;                      // of the fraction of a weight
const PADDING = 127;                  // round a letterboxed picture

// A picture as a square of `size` pixels; `area` is the part of it that counts: left, top, right, bottom.
export function square(picture, size, mode = "crop", area = [0, 0, picture.width, picture.height]) {
  let [left, top, right, bottom] = area;
  if (mode === "crop") {
    const side = Math.min(right - left, bottom - top);
    [left, top] = [(left + right - side) / 2, (top + bottom - side) / 2];
    [right, bottom] = [left + side, top + side];
  }
  const scale = size / Math.max(right - left, bottom - top);
  const shape = [right - left, bottom - top].map(length => Math.max(1, halfToEven(scale * length)));
  const [width, height] = mode === "letterbox" ? shape : [size, size];
  const scaled = resize(picture, width, height, [left, top, right, bottom]);
  return width === size && height === size ? scaled : padded(scaled, size);
}

// What a network takes: one number per colour, 0 to 255.
export function numbers(picture) {
  const { width, height, data } = picture;
  const found = new Float32Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++)
    for (let colour = 0; colour < 3; colour++) found[3 * pixel + colour] = data[4 * pixel + colour];
  return found;
}

// Means of blocks of `across` × `down` pixels; at the right and at the bottom, of what is left of a block.
export function reduce(picture, across, down, box = [0, 0, picture.width, picture.height]) {
  const [left, top, right, bottom] = box;
  const [width, height] = [Math.ceil((right - left) / across), Math.ceil((bottom - top) / down)];
  const [from, data] = [picture.data, new Uint8ClampedArray(width * height * 4)];
  for (let row = 0; row < height; row++) {
    const [y0, y1] = [top + row * down, Math.min(bottom, top + (row + 1) * down)];
    for (let column = 0; column < width; column++) {
      const [x0, x1] = [left + column * across, Math.min(right, left + (column + 1) * across)];
      const count = (x1 - x0) * (y1 - y0);
      const half = count >> 1, share = Math.floor(Math.fround(2 ** 24 / count)); // one division for the block, as Pillow does
      let red = half, green = half, blue = half;
      for (let y = y0; y < y1; y++)
        for (let at = 4 * (y * picture.width + x0), end = at + 4 * (x1 - x0); at < end; at += 4) {
          red += from[at]; green += from[at + 1]; blue += from[at + 2];
        }
      const to = 4 * (row * width + column);
      data[to] = (red * share) / 2 ** 24 | 0; // more than 32 bits: no shift
      data[to + 1] = (green * share) / 2 ** 24 | 0;
      data[to + 2] = (blue * share) / 2 ** 24 | 0;
    }
  }
  return { width, height, data };
}

function resize(picture, width, height, box) {
  if (width === picture.width && height === picture.height && box.join() === `0,0,${width},${height}`) return picture;
  const across = Math.trunc((box[2] - box[0]) / width / GAP) || 1, down = Math.trunc((box[3] - box[1]) / height / GAP) || 1;
  if (across > 1 || down > 1) {
    const safe = around(picture, width, height, box);
    picture = reduce(picture, across, down, safe);
    box = box.map((edge, place) => (edge - safe[place % 2]) / (place % 2 ? down : across));
  }
  const [left, top, right, bottom] = box.map(Math.fround); // Pillow hands them on in single precision
  const columns = weights(picture.width, left, right, width), rows = weights(picture.height, top, bottom, height);
  // The first pass rounds, so its direction shows. Pillow begins downwards where that takes away more than twice as many
  // rows as the other would columns.
  const fewer = picture.height - height;
  if (fewer > 0 && fewer > 2 * (picture.width - width)) return sideways(downwards(picture, rows), columns);
  const used = [rows[0].first, rows.at(-1).first + rows.at(-1).shares.length];
  return downwards(sideways(picture, columns, ...used), rows);
}

// The box and, where there are any, the neighbours that its scaling looks at.
function around(picture, width, height, [left, top, right, bottom]) {
  const aside = (SUPPORT - 0.5) * ((right - left) / width), above = (SUPPORT - 0.5) * ((bottom - top) / height);
  return [
    Math.max(0, Math.trunc(left - aside)), Math.max(0, Math.trunc(top - above)),
    Math.min(picture.width, Math.ceil(right + aside)), Math.min(picture.height, Math.ceil(bottom + above)),
  ];
}

// For each of `count` places: which of the pixels from `from` to `to` count there, and how much.
function weights(length, from, to, count) {
  const scale = (to - from) / count, wide = Math.max(scale, 1), support = SUPPORT * wide;
  return Array.from({ length: count }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(length, Math.trunc(centre + support + 0.5));
    const shares = Array.from({ length: last - first }, (_, at) => lanczos((at + first - centre + 0.5) * (1 / wide)));
    const total = shares.reduce((sum, share) => sum + share, 0);
    return { first, shares: Int32Array.from(shares, share => fixed(share / total)) };
  });
}

const fixed = share => Math.trunc(share * 2 ** BITS + (share < 0 ? -0.5 : 0.5));
const sinc = x => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
const lanczos = x => (x >= -SUPPORT && x < SUPPORT ? sinc(x) * sinc(x / SUPPORT) : 0);

// The picture in its new width; only the rows from `top` on that will be looked at.
function sideways(picture, columns, top = 0, bottom = picture.height) {
  const width = columns.length, height = bottom - top;
  const [from, data] = [picture.data, new Uint8ClampedArray(width * height * 4)];
  columns.forEach(({ first, shares }, column) => {
    for (let row = 0; row < height; row++) {
      let red = 1 << (BITS - 1), green = red, blue = red;
      let at = 4 * ((row + top) * picture.width + first);
      for (let tap = 0; tap < shares.length; tap++, at += 4) {
        const share = shares[tap];
        red += from[at] * share; green += from[at + 1] * share; blue += from[at + 2] * share;
      }
      const to = 4 * (row * width + column);
      data[to] = red >> BITS; data[to + 1] = green >> BITS; data[to + 2] = blue >> BITS; // the array clamps
    }
  });
  return { width, height, data, top };
}

function downwards({ width, data: from, top = 0 }, rows) {
  const [height, stride] = [rows.length, 4 * width];
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  rows.forEach(({ first, shares }, row) => {
    for (let column = 0; column < width; column++) {
      let red = 1 << (BITS - 1), green = red, blue = red;
      let at = (first - top) * stride + 4 * column;
      for (let tap = 0; tap < shares.length; tap++, at += stride) {
        const share = shares[tap];
        red += from[at] * share; green += from[at + 1] * share; blue += from[at + 2] * share;
      }
      const to = row * stride + 4 * column;
      data[to] = red >> BITS; data[to + 1] = green >> BITS; data[to + 2] = blue >> BITS;
    }
  });
  return { width, height, data };
}

function padded({ width, height, data: from }, size) {
  const data = new Uint8ClampedArray(size * size * 4).fill(PADDING);
  const [left, top] = [(size - width) >> 1, (size - height) >> 1];
  for (let row = 0; row < height; row++)
    data.set(from.subarray(4 * row * width, 4 * (row + 1) * width), 4 * ((row + top) * size + left));
  return { width: size, height: size, data };
}

function halfToEven(number) { // as Python rounds
  const low = Math.floor(number), rest = number - low;
  return rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low;
}
