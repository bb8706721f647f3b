// Tightens a box to what stands out from the steel around it.
import type { Rect } from "./geometry";

/** Grey values (0…255) of part of an image, row by row; NaN where the image does not reach. */
export interface Patch {
  readonly w: number;
  readonly h: number;
  readonly grey: Float32Array;
}

// In units of the background's own scatter: where a defect is certain, and how
// far it reaches out from there.
const certain = 6;
const possible = 3;
const border = 1;

/** How much of the surroundings a patch should hold round a box, in pixels. */
export function surroundings(box: Rect): number {
  return Math.ceil(Math.max(12, 0.4 * Math.min(Math.max(box.w, box.h), 160)));
}

/**
 * The smallest box round what stands out inside `box` (in the patch's pixels), with a
 * border of one pixel. What is found may reach a little beyond the box, so that one that
 * cuts its defect grows. Null where nothing stands out.
 */
export function tightened(patch: Patch, box: Rect): Rect | null {
  const field = standingOut(patch, box);
  if (!field) return null;
  const core = cut(box, patch);
  const room = cut(widened(box, Math.max(3, 0.15 * Math.min(box.w, box.h))), patch);
  const marked = regions(field, patch.w, core, room);
  if (!marked) return null;
  const { left, top, right, bottom } = marked.frame;
  const depth = (x: number, y: number): number => (marked.map[y * patch.w + x] ? (field[y * patch.w + x] ?? 0) : 0);
  const columns = profile(left, right, (x) => strongest(top, bottom, (y) => depth(x, y)));
  const rows = profile(top, bottom, (y) => strongest(left, right, (x) => depth(x, y)));
  const x = Math.max(0, left + onset(columns) - border);
  const y = Math.max(0, top + onset(rows) - border);
  const r = Math.min(patch.w, right + 1 - onset(columns.reverse()) + border);
  const b = Math.min(patch.h, bottom + 1 - onset(rows.reverse()) + border);
  return { x, y, w: r - x, h: b - y };
}

function profile(from: number, to: number, value: (i: number) => number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => value(from + i));
}

// Where the profile first passes half of what it reaches in the next three pixels:
// smoothing has widened the edge evenly, and this finds its middle between two pixels.
function onset(depths: readonly number[]): number {
  const half = Math.max(...depths.slice(0, 4)) / 2;
  const at = depths.findIndex((d) => d >= half);
  const before = depths[at - 1];
  if (before === undefined) return 0;
  return at - 0.5 + (half - before) / ((depths[at] ?? half) - before || 1);
}

function strongest(from: number, to: number, value: (i: number) => number): number {
  let best = 0;
  for (let i = from; i <= to; i++) best = Math.max(best, value(i));
  return best;
}

interface Frame {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

function widened(r: Rect, by: number): Rect {
  return { x: r.x - by, y: r.y - by, w: r.w + 2 * by, h: r.h + 2 * by };
}

// The whole pixels that a box touches.
function cut(r: Rect, patch: Patch): Frame {
  return {
    left: Math.max(0, Math.floor(r.x)),
    top: Math.max(0, Math.floor(r.y)),
    right: Math.min(patch.w, Math.ceil(r.x + r.w)) - 1,
    bottom: Math.min(patch.h, Math.ceil(r.y + r.h)) - 1,
  };
}

/**
 * |grey − background| of every pixel in units of the background's scatter, smoothed over
 * 3×3; null where there are too few pixels to know the background. The background is a
 * plane fitted to the pixels outside the box, since light falls unevenly on a strip;
 * its scatter is measured after the same smoothing, so that the texture sets the bar.
 */
function standingOut(patch: Patch, box: Rect): Float32Array | null {
  const core = cut(box, patch);
  const outside: number[] = [];
  for (let y = 0; y < patch.h; y++) {
    for (let x = 0; x < patch.w; x++) {
      const beside = x < core.left - 1 || x > core.right + 1 || y < core.top - 1 || y > core.bottom + 1;
      if (beside && !Number.isNaN(patch.grey[y * patch.w + x])) outside.push(y * patch.w + x);
    }
  }
  if (outside.length < 60) return null;
  const rest = new Float32Array(patch.grey.length);
  let kept = outside;
  let plane: Plane = { a: 0, b: 0, c: 0 };
  for (let round = 0; round < 3; round++) {
    plane = fitted(patch, kept);
    subtract(patch, plane, rest);
    const scatter = spread(kept.map((i) => rest[i] ?? 0));
    kept = outside.filter((i) => Math.abs(rest[i] ?? 0) <= 3 * scatter);
    if (kept.length < 60) return null;
  }
  const smooth = smoothed(rest.map((v) => (Number.isNaN(v) ? 0 : v)), patch.w, patch.h);
  const bar = Math.max(0.7, spread(kept.map((i) => smooth[i] ?? 0)));
  return smooth.map((v) => Math.abs(v) / bar);
}

interface Plane {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

// Least squares for a + b·x + c·y, about the mean so that it stays well conditioned.
function fitted(patch: Patch, pixels: readonly number[]): Plane {
  let mx = 0;
  let my = 0;
  let mv = 0;
  for (const i of pixels) {
    mx += i % patch.w;
    my += Math.floor(i / patch.w);
    mv += patch.grey[i] ?? 0;
  }
  mx /= pixels.length;
  my /= pixels.length;
  mv /= pixels.length;
  let xx = 0;
  let xy = 0;
  let yy = 0;
  let xv = 0;
  let yv = 0;
  for (const i of pixels) {
    const x = (i % patch.w) - mx;
    const y = Math.floor(i / patch.w) - my;
    const v = (patch.grey[i] ?? 0) - mv;
    xx += x * x;
    xy += x * y;
    yy += y * y;
    xv += x * v;
    yv += y * v;
  }
  const det = xx * yy - xy * xy;
  if (Math.abs(det) < 1e-9) return { a: mv, b: 0, c: 0 };
  const b = (xv * yy - yv * xy) / det;
  const c = (yv * xx - xv * xy) / det;
  return { a: mv - b * mx - c * my, b, c };
}

function subtract(patch: Patch, p: Plane, into: Float32Array): void {
  for (let y = 0, i = 0; y < patch.h; y++) {
    for (let x = 0; x < patch.w; x++, i++) into[i] = (patch.grey[i] ?? 0) - p.a - p.b * x - p.c * y;
  }
}

// 1.4826 × the median of |v|: the standard deviation of a normal scatter, whatever the outliers.
function spread(values: readonly number[]): number {
  const sorted = Float32Array.from(values, Math.abs).sort();
  return Math.max(1e-6, 1.4826 * (sorted[sorted.length >> 1] ?? 0));
}

// The weights 1 2 1 in both directions: noise halves, a line of one pixel keeps half its depth.
function smoothed(v: Float32Array, w: number, h: number): Float32Array {
  const half = new Float32Array(v.length);
  const out = new Float32Array(v.length);
  for (let i = 0; i < v.length; i++) {
    const x = i % w;
    const own = v[i] ?? 0;
    half[i] = ((x > 0 ? (v[i - 1] ?? 0) : own) + 2 * own + (x < w - 1 ? (v[i + 1] ?? 0) : own)) / 4;
  }
  for (let i = 0; i < v.length; i++) {
    const own = half[i] ?? 0;
    out[i] = ((i >= w ? (half[i - w] ?? 0) : own) + 2 * own + (i < w * (h - 1) ? (half[i + w] ?? 0) : own)) / 4;
  }
  return out;
}

/**
 * The regions of pixels that stand out, each with a certain pixel inside `core`, followed as far
 * as `room`, and the frame round all of them; specks beside a region 50 times their weight are left out.
 */
function regions(field: Float32Array, w: number, core: Frame, room: Frame): { map: Uint8Array; frame: Frame } | null {
  const map = new Uint8Array(field.length);
  const found: { pixels: number[]; weight: number }[] = [];
  for (let y = core.top; y <= core.bottom; y++) {
    for (let x = core.left; x <= core.right; x++) {
      const i = y * w + x;
      if (map[i] || (field[i] ?? 0) < certain) continue;
      const pixels = grownFrom(i, field, w, room, map);
      found.push({ pixels, weight: pixels.reduce((sum, p) => sum + (field[p] ?? 0), 0) });
    }
  }
  const heaviest = Math.max(0, ...found.map((f) => f.weight));
  const frame = { left: Infinity, top: Infinity, right: -1, bottom: -1 };
  for (const { pixels, weight } of found) {
    const speck = pixels.length < 3 || weight * 50 < heaviest;
    for (const i of pixels) {
      if (speck) {
        map[i] = 0;
        continue;
      }
      frame.left = Math.min(frame.left, i % w);
      frame.right = Math.max(frame.right, i % w);
      frame.top = Math.min(frame.top, Math.floor(i / w));
      frame.bottom = Math.max(frame.bottom, Math.floor(i / w));
    }
  }
  return frame.right < 0 ? null : { map, frame };
}

function grownFrom(seed: number, field: Float32Array, w: number, room: Frame, map: Uint8Array): number[] {
  const pixels = [seed];
  map[seed] = 1;
  for (let k = 0; k < pixels.length; k++) {
    const i = pixels[k] ?? 0;
    const cx = i % w;
    const cy = Math.floor(i / w);
    for (let y = Math.max(room.top, cy - 1); y <= Math.min(room.bottom, cy + 1); y++) {
      for (let x = Math.max(room.left, cx - 1); x <= Math.min(room.right, cx + 1); x++) {
        const j = y * w + x;
        if (map[j] || (field[j] ?? 0) < possible) continue;
        map[j] = 1;
        pixels.push(j);
      }
    }
  }
  return pixels;
}
