import type { Rect, Size } from "./geometry";
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

/** A box of the image closed round what stands out in it, or null. `deep`: a 16-bit window rendition. */
export function tighten(image: HTMLImageElement, box: Rect, bounds: Size, deep: boolean): Rect | null {
  const part = read(image, box, bounds, deep);
  if (!part) return null;
  const { step } = part;
  const inside = { x: (box.x - part.x) / step, y: (box.y - part.y) / step, w: box.w / step, h: box.h / step };
  const found = tightened(part.patch, inside);
  if (!found) return null;
  const x = Math.max(0, part.x + found.x * step);
  const y = Math.max(0, part.y + found.y * step);
  return { x, y, w: Math.min(bounds.w, part.x + (found.x + found.w) * step) - x, h: Math.min(bounds.h, part.y + (found.y + found.h) * step) - y };
}

function read(image: HTMLImageElement, box: Rect, bounds: Size, deep: boolean): Cut | null {
  const round = surroundings(box);
  const x = Math.max(0, Math.floor(box.x - round));
  const y = Math.max(0, Math.floor(box.y - round));
  const w = Math.min(bounds.w, Math.ceil(box.x + box.w + round)) - x;
  const h = Math.min(bounds.h, Math.ceil(box.y + box.h + round)) - y;
  const step = Math.max(1, Math.ceil(Math.sqrt((w * h) / mostPixels)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.floor(w / step);
  canvas.height = Math.floor(h / step);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context || canvas.width < 4 || canvas.height < 4) return null;
  const ratio = image.naturalWidth / bounds.w;
  context.imageSmoothingEnabled = !deep;
  context.drawImage(image, x * ratio, y * ratio, canvas.width * step * ratio, canvas.height * step * ratio, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const grey = new Float32Array(canvas.width * canvas.height);
  for (let i = 0; i < grey.length; i++) {
    const r = data[4 * i] ?? 0;
    const g = data[4 * i + 1] ?? 0;
    const b = data[4 * i + 2] ?? 0;
    grey[i] = deep ? (r * 256 + g) / 257 : 0.299 * r + 0.587 * g + 0.114 * b;
  }
  return { patch: { w: canvas.width, h: canvas.height, grey }, x, y, step };
}
