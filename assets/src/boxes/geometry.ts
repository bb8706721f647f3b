// Boxes in pixels of the upright image: origin at the top left, pixel i covers
// [i, i+1]. Everything here is pure; the screen is known to viewport.ts alone.

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly w: number;
  readonly h: number;
}

export interface Rect extends Point, Size {}

/** A rectangle turned clockwise about its centre, in degrees. */
export interface Turned extends Rect {
  readonly rotation: number;
}

export type Handle = "nw" | "n" | "ne" | "e" | "se" | "s" | "sw" | "w";

export const handles: readonly Handle[] = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

/** The smallest side that a box may have, in image pixels. */
export const least = 1;

// Pointer positions are kept on a grid of 1/256 px: finer than any pointer, and
// exact in binary, so that x + w of a box at the border is the border.
const grid = 256;

export function onGrid(p: Point): Point {
  return { x: Math.round(p.x * grid) / grid, y: Math.round(p.y * grid) / grid };
}

function clamp(v: number, low: number, high: number): number {
  return v < low ? low : v > high ? high : v;
}

/** The rectangle between two opposite corners, in any order, cut to the image. */
export function between(a: Point, b: Point, bounds: Size): Rect {
  const left = clamp(Math.min(a.x, b.x), 0, bounds.w);
  const top = clamp(Math.min(a.y, b.y), 0, bounds.h);
  const right = clamp(Math.max(a.x, b.x), 0, bounds.w);
  const bottom = clamp(Math.max(a.y, b.y), 0, bounds.h);
  return { x: left, y: top, w: right - left, h: bottom - top };
}

export function centre(r: Rect): Point {
  return { x: r.x + r.w / 2, y: r.y + r.h / 2 };
}

/** p turned clockwise about c by the given degrees. */
export function turn(p: Point, c: Point, degrees: number): Point {
  if (degrees === 0) return p;
  const a = (degrees * Math.PI) / 180;
  const cos = Math.cos(a);
  const sin = Math.sin(a);
  const dx = p.x - c.x;
  const dy = p.y - c.y;
  return { x: c.x + dx * cos - dy * sin, y: c.y + dx * sin + dy * cos };
}

/** The axis-aligned hull of a turned box. */
export function hull(b: Turned): Rect {
  if (b.rotation === 0) return b;
  const a = (b.rotation * Math.PI) / 180;
  const w = Math.abs(b.w * Math.cos(a)) + Math.abs(b.h * Math.sin(a));
  const h = Math.abs(b.w * Math.sin(a)) + Math.abs(b.h * Math.cos(a));
  const c = centre(b);
  return { x: c.x - w / 2, y: c.y - h / 2, w, h };
}

/** Degrees as they are kept: above −180, at most 180, to a ten-thousandth. */
export function normal(degrees: number): number {
  const r = Math.round((degrees % 360) * 1e4) / 1e4;
  const within = r > 180 ? r - 360 : r <= -180 ? r + 360 : r;
  return within === 0 ? 0 : Math.round(within * 1e4) / 1e4;
}

// Of a straight box all lies inside the image. A turned one may reach over the border with its
// corners, as a scratch does that runs off the strip: only its centre must lie inside.
function inside(b: Turned, bounds: Size): boolean {
  const slack = 1e-6;
  const r = b.rotation === 0 ? b : { ...centre(b), w: 0, h: 0 };
  return r.x >= -slack && r.y >= -slack && r.x + r.w <= bounds.w + slack && r.y + r.h <= bounds.h + slack;
}

/** b moved by (dx, dy), as far as it stays inside the image; its size is kept. */
export function moved<B extends Turned>(b: B, dx: number, dy: number, bounds: Size): B {
  const room = b.rotation === 0 ? b : { w: 0, h: 0 };
  const from = b.rotation === 0 ? b : centre(b);
  const x = clamp(from.x + dx, 0, Math.max(0, bounds.w - room.w));
  const y = clamp(from.y + dy, 0, Math.max(0, bounds.h - room.h));
  return { ...b, x: b.x + (x - from.x), y: b.y + (y - from.y) };
}

/** b with its right and bottom side moved, never smaller than `least`, inside the image; the opposite corner stays. */
export function grown<B extends Turned>(b: B, dw: number, dh: number, bounds: Size): B {
  const straight = b.rotation === 0;
  const w = clamp(b.w + dw, least, straight ? Math.max(least, bounds.w - b.x) : Infinity);
  const h = clamp(b.h + dh, least, straight ? Math.max(least, bounds.h - b.y) : Infinity);
  const next = inFrame(b, { x: b.x, y: b.y, w, h });
  return inside(next, bounds) ? next : b;
}

/** b in the place of r, a rectangle in b's own frame: upright about b's centre. */
export function inFrame<B extends Turned>(b: B, r: Rect): B {
  if (b.rotation === 0) return { ...b, ...r };
  const at = turn(centre(r), centre(b), b.rotation);
  return { ...b, x: at.x - r.w / 2, y: at.y - r.h / 2, w: r.w, h: r.h };
}

/** b turned about its centre to `degrees`, and pushed back inside where it comes to stand straight. */
export function rotated<B extends Turned>(b: B, degrees: number, bounds: Size): B {
  return sound({ ...b, rotation: normal(degrees) }, bounds);
}

/** r widened to the least size where it is thinner, and pushed back inside the image. */
export function sound<B extends Turned>(b: B, bounds: Size): B {
  const w = clamp(b.w, least, b.rotation === 0 ? Math.max(least, bounds.w) : Infinity);
  const h = clamp(b.h, least, b.rotation === 0 ? Math.max(least, bounds.h) : Infinity);
  if (b.rotation !== 0) {
    const c = centre(b);
    return moved({ ...b, x: c.x - w / 2, y: c.y - h / 2, w, h }, 0, 0, bounds);
  }
  return { ...b, w, h, x: clamp(b.x, 0, Math.max(0, bounds.w - w)), y: clamp(b.y, 0, Math.max(0, bounds.h - h)) };
}

/** Where the knob that turns b sits: `away` from its top, or from its bottom. */
export function knobPoint(b: Turned, away: number, below: boolean): Point {
  return turn({ x: b.x + b.w / 2, y: below ? b.y + b.h + away : b.y - away }, centre(b), b.rotation);
}

/**
 * The rotation of b after its knob was dragged from one point to another: to a tenth
 * of a degree, or to the next multiple of `step` degrees.
 */
export function turnedBy(b: Turned, from: Point, to: Point, step: number): number {
  const c = centre(b);
  const angle = (p: Point): number => (Math.atan2(p.y - c.y, p.x - c.x) * 180) / Math.PI;
  const free = b.rotation + angle(to) - angle(from);
  return normal(Math.round(free / step) * step);
}

const mirrorX: Record<string, string> = { w: "e", e: "w" };
const mirrorY: Record<string, string> = { n: "s", s: "n" };

function flipped(handle: Handle, x: boolean, y: boolean): Handle {
  const letters = [...handle].map((l) => (x ? mirrorX[l] : undefined) ?? (y ? mirrorY[l] : undefined) ?? l);
  return letters.join("") as Handle;
}

/**
 * b with the dragged handle at the image point `to`. Dragged across the opposite
 * side it flips, and the handle that is then held is returned.
 */
export function resized<B extends Turned>(b: B, handle: Handle, to: Point, bounds: Size): { box: B; handle: Handle } {
  const c = centre(b);
  const p = turn(to, c, -b.rotation);
  const limit = b.rotation === 0;
  const put = (v: number, high: number): number => (limit ? clamp(v, 0, high) : v);
  let left = b.x;
  let right = b.x + b.w;
  let top = b.y;
  let bottom = b.y + b.h;
  if (handle.includes("w")) left = put(p.x, bounds.w);
  if (handle.includes("e")) right = put(p.x, bounds.w);
  if (handle.includes("n")) top = put(p.y, bounds.h);
  if (handle.includes("s")) bottom = put(p.y, bounds.h);
  const next = {
    ...b,
    x: Math.min(left, right),
    y: Math.min(top, bottom),
    w: Math.abs(right - left),
    h: Math.abs(bottom - top),
  };
  const now = flipped(handle, left > right, top > bottom);
  if (limit) return { box: next, handle: now };
  // The side that is not dragged stays where it is on the image.
  const placed = inFrame(b, next);
  return inside(placed, bounds) ? { box: placed, handle: now } : { box: b, handle };
}

/** Where a handle sits on its box. */
export function handlePoint(b: Turned, handle: Handle): Point {
  const x = handle.includes("w") ? b.x : handle.includes("e") ? b.x + b.w : b.x + b.w / 2;
  const y = handle.includes("n") ? b.y : handle.includes("s") ? b.y + b.h : b.y + b.h / 2;
  return turn({ x, y }, centre(b), b.rotation);
}

/**
 * The side or corner of b within `reach` of p. Inside a thin box the reach shrinks to
 * a quarter of its thickness, so that there is always a body left to grab.
 */
export function handleAt(b: Turned, p: Point, reach: number): Handle | null {
  const q = turn(p, centre(b), -b.rotation);
  const near = (v: number, side: number, inward: number, size: number): boolean => {
    const d = (v - side) * inward;
    return d >= -reach && d <= Math.min(reach, size / 4);
  };
  const w = near(q.x, b.x, 1, b.w);
  const e = near(q.x, b.x + b.w, -1, b.w);
  const n = near(q.y, b.y, 1, b.h);
  const s = near(q.y, b.y + b.h, -1, b.h);
  if (q.x < b.x - reach || q.x > b.x + b.w + reach || q.y < b.y - reach || q.y > b.y + b.h + reach) return null;
  const name = (n ? "n" : s ? "s" : "") + (w ? "w" : e ? "e" : "");
  return name === "" ? null : (name as Handle);
}

/** Whether p lies on b; a box thinner than twice the reach is as thick as that. */
export function contains(b: Turned, p: Point, reach: number): boolean {
  const q = turn(p, centre(b), -b.rotation);
  const rx = Math.max(b.w / 2, reach);
  const ry = Math.max(b.h / 2, reach);
  return Math.abs(q.x - b.x - b.w / 2) <= rx && Math.abs(q.y - b.y - b.h / 2) <= ry;
}

/** The smallest box under p, so that one inside another can be reached; the later one of equals. */
export function boxAt<B extends Turned>(boxes: readonly B[], p: Point, reach: number): B | null {
  let best: B | null = null;
  for (const b of boxes) {
    if (contains(b, p, reach) && (best === null || b.w * b.h <= best.w * best.h)) best = b;
  }
  return best;
}

/** p pulled onto the border of the image where it is within `reach` of it, or outside. */
export function snapped(p: Point, bounds: Size, reach: number): Point {
  const pull = (v: number, high: number): number => (v < reach ? 0 : v > high - reach ? high : v);
  return { x: pull(p.x, bounds.w), y: pull(p.y, bounds.h) };
}

export function intersects(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
