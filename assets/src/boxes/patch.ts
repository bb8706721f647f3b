import { centre, inFrame, type Rect, type Size, type Turned } from "./geometry";
import { type Patch, surroundings, tightened } from "./edgesnap";

// A larger part than this is looked at in steps of several pixels.
const mostPixels = 360_000;

interface Cut {
  readonly patch: Patch;
  /** Of the patch, in the upright image's pixels. */
  readonly x: number;
  readonly y: number;
  /** Image pixels to one pixel of the patch. */
  readonly step: number;
}

/** A box of the image closed round what stands out in it, in the box's own frame, or null. `deep`: a 16-bit window rendition. */
export function tighten<B extends Turned>(image: HTMLImageElement, box: B, bounds: Size, deep: boolean): B | null {
  const part = read(image, box, bounds, deep);
  if (!part) return null;
  const { step } = part;
  const inside = { x: (box.x - part.x) / step, y: (box.y - part.y) / step, w: box.w / step, h: box.h / step };
  const found = tightened(part.patch, inside);
  if (!found) return null;
  if (box.rotation !== 0) return inFrame(box, { x: part.x + found.x * step, y: part.y + found.y * step, w: found.w * step, h: found.h * step });
  const x = Math.max(0, part.x + found.x * step);
  const y = Math.max(0, part.y + found.y * step);
  return { ...box, x, y, w: Math.min(bounds.w, part.x + (found.x + found.w) * step) - x, h: Math.min(bounds.h, part.y + (found.y + found.h) * step) - y };
}

// Cuts the box with its surroundings out of the image, upright: a turned box is turned back about its
// centre. What lies outside the image has no grey.
function read(image: HTMLImageElement, box: Turned, bounds: Size, deep: boolean): Cut | null {
  const round = surroundings(box);
  const room: Rect = box.rotation === 0 ? { x: 0, y: 0, ...bounds } : { x: -Infinity, y: -Infinity, w: Infinity, h: Infinity };
  const x = Math.max(room.x, Math.floor(box.x - round));
  const y = Math.max(room.y, Math.floor(box.y - round));
  const w = Math.min(room.w, Math.ceil(box.x + box.w + round)) - x;
  const h = Math.min(room.h, Math.ceil(box.y + box.h + round)) - y;
  const step = Math.max(1, Math.ceil(Math.sqrt((w * h) / mostPixels)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.floor(w / step);
  canvas.height = Math.floor(h / step);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context || canvas.width < 4 || canvas.height < 4) return null;
  context.imageSmoothingEnabled = !deep;
  if (box.rotation === 0) {
    const ratio = image.naturalWidth / bounds.w;
    context.drawImage(image, x * ratio, y * ratio, canvas.width * step * ratio, canvas.height * step * ratio, 0, 0, canvas.width, canvas.height);
  } else {
    const c = centre(box);
    context.scale(1 / step, 1 / step);
    context.translate(c.x - x, c.y - y);
    context.rotate((-box.rotation * Math.PI) / 180);
    context.drawImage(image, -c.x, -c.y, bounds.w, bounds.h);
  }
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { patch: { w: canvas.width, h: canvas.height, grey: greys(data, deep) }, x, y, step };
}

function greys(data: Uint8ClampedArray, deep: boolean): Float32Array {
  const grey = new Float32Array(data.length / 4);
  for (let i = 0; i < grey.length; i++) {
    const r = data[4 * i] ?? 0;
    const g = data[4 * i + 1] ?? 0;
    const b = data[4 * i + 2] ?? 0;
    grey[i] = (data[4 * i + 3] ?? 0) < 255 ? NaN : deep ? (r * 256 + g) / 257 : 0.299 * r + 0.587 * g + 0.114 * b;
  }
  return grey;
}
