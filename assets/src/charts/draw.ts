import uPlot from "uplot";
import { type Mark, marksOf, type Tick } from "../shared/ticks";
import { align, type Aligned, type Point, reach } from "./data";
import { type Palette, paletteOf } from "./palette";

/** What a chart is of. */
export interface Subject {
  readonly kind: "time" | "share";
  readonly points: readonly Point[];
  readonly ticks: readonly Tick[];
  readonly measure: string;
}

// Space round the axes in CSS pixels: above, for the numbers of the ticks.
const above = 18;
// How far the numbers of two ticks must lie apart, in CSS pixels.
const apart = 22;
const fonts = '11px "Plex Sans", system-ui, sans-serif';
const day = 86_400;

/** chart draws a subject into host, as wide as it is. */
export function chart(host: HTMLElement, subject: Subject, point: (at: Point | null, left: number, top: number) => void): uPlot {
  const palette = paletteOf(host);
  const aligned = align(subject.points);
  const options: uPlot.Options = {
    width: Math.max(200, host.clientWidth),
    height: heightOf(host, subject),
    padding: [subject.ticks.length > 0 ? above : 8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { show: false } },
    scales: scalesOf(subject, aligned),
    axes: axesOf(subject, palette),
    series: [{}, ...aligned.series.map((_, i) => lineOf(i, palette))],
    hooks: {
      drawClear: [(u) => under(u, subject, aligned, palette)],
      draw: [(u) => over(u, subject, aligned, palette)],
      setCursor: [(u) => told(u, aligned, point)],
    },
  };
  const ys = aligned.series.map((line) => line.map((p) => p?.y ?? null));
  return new uPlot(options, [aligned.xs, ...ys], host);
}

function heightOf(host: HTMLElement, subject: Subject): number {
  if (subject.kind === "share") return Math.min(360, Math.max(220, host.clientWidth * 0.7));
  return host.clientWidth < 480 ? 240 : 280;
}

function scalesOf(subject: Subject, aligned: Aligned): uPlot.Scales {
  if (subject.kind === "share") return { x: { time: false, range: [0, 1] }, y: { range: [0, 1] } };
  const first = Math.min(aligned.xs[0] ?? 0, ...subject.ticks.map((t) => t.at));
  const last = Math.max(aligned.xs.at(-1) ?? day, ...subject.ticks.map((t) => t.at));
  const room = Math.max((last - first) * 0.03, day);
  return { x: { time: true, range: [first - room, last + room] }, y: { range: reach(subject.points) } };
}

function axesOf(subject: Subject, palette: Palette): uPlot.Axis[] {
  const shared = { font: fonts, stroke: palette.faint, ticks: { stroke: palette.rule, width: 1, size: 4 } };
  const places = (_: uPlot, splits: number[]): string[] => splits.map((v) => String(Number(v.toFixed(3))));
  return [
    { ...shared, grid: { show: false }, space: 64, size: 28, ...(subject.kind === "share" ? { values: places } : { values: dates }) },
    { ...shared, grid: { stroke: palette.line, width: 1 }, size: 48, space: 36, values: places },
  ];
}

// The months of the axis as words; the year stands where it begins.
function dates(_: uPlot, splits: number[], __: number, ___: number, increment: number): string[] {
  let year = 0;
  return splits.map((at) => {
    const when = new Date(at * 1000);
    const newYear = when.getUTCFullYear() !== year;
    year = when.getUTCFullYear();
    const month = when.toLocaleString("en", { month: "short", timeZone: "UTC" });
    const words = increment < 28 * day ? `${when.getUTCDate()} ${month}` : month;
    return newYear ? `${words} ${year}` : words;
  });
}

/** dashOf is the pattern of a line: the first, which a page is about, has none. */
export function dashOf(i: number): readonly number[] {
  return i === 0 ? [] : [[5, 3], [2, 3], [8, 3, 2, 3]][(i - 1) % 3]!;
}

function lineOf(i: number, palette: Palette): uPlot.Series {
  const stroke = i === 0 ? palette.ink : palette.others[(i - 1) % palette.others.length]!;
  return {
    stroke,
    width: 1.5,
    spanGaps: true,
    ...(i === 0 ? {} : { dash: [...dashOf(i)] }),
    points: { show: true, size: i === 0 ? 6 : 4, fill: palette.ground, stroke, width: 1.5 },
  };
}

// What lies under the lines: the interval of the first, the diagonal of a calibration, the ticks.
function under(u: uPlot, subject: Subject, aligned: Aligned, palette: Palette): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.fillStyle = palette.ground;
  ctx.fillRect(0, 0, ctx.canvas.width, ctx.canvas.height);
  const band = (aligned.series[0] ?? []).filter((p): p is Point => p !== null && p.low !== null && p.high !== null);
  if (band.length > 1) {
    ctx.fillStyle = palette.band;
    ctx.beginPath();
    for (const p of band) ctx.lineTo(u.valToPos(p.x, "x", true), u.valToPos(p.high ?? p.y, "y", true));
    for (const p of [...band].reverse()) ctx.lineTo(u.valToPos(p.x, "x", true), u.valToPos(p.low ?? p.y, "y", true));
    ctx.closePath();
    ctx.fill();
  }
  ctx.lineWidth = devicePixelRatio;
  if (subject.kind === "share") {
    ctx.strokeStyle = palette.edge;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, bbox.top + bbox.height);
    ctx.lineTo(bbox.left + bbox.width, bbox.top);
    ctx.stroke();
  }
  for (const tick of subject.ticks) tickMark(u, tick, palette);
  for (const mark of marksOf(subject.ticks, (at) => u.valToPos(at, "x", true), apart * devicePixelRatio)) tickLabel(u, mark, palette);
  ctx.restore();
}

function tickMark(u: uPlot, tick: Tick, palette: Palette): void {
  const { ctx, bbox } = u;
  const x = u.valToPos(tick.at, "x", true);
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.strokeStyle = tick.intervention ? palette.accentText : palette.edge;
  ctx.setLineDash(tick.intervention ? [] : [2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
}

function tickLabel(u: uPlot, mark: Mark, palette: Palette): void {
  const { ctx, bbox } = u;
  if (mark.place < bbox.left || mark.place > bbox.left + bbox.width) return;
  ctx.fillStyle = mark.ticks.some((t) => t.intervention) ? palette.accentText : palette.ink;
  ctx.font = fontOf(500);
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  ctx.fillText(mark.label, mark.place, bbox.top - 3 * devicePixelRatio);
}

function fontOf(weight: number): string {
  return `${weight} ${11 * devicePixelRatio}px "Plex Sans", system-ui, sans-serif`;
}

// What lies over the lines: the one point that the page is about, with its interval and its figure.
function over(u: uPlot, subject: Subject, aligned: Aligned, palette: Palette): void {
  const current = aligned.series.flat().find((p) => p?.current === true);
  if (current === null || current === undefined || subject.kind !== "time") return;
  const { ctx, bbox } = u;
  const x = u.valToPos(current.x, "x", true);
  const y = u.valToPos(current.y, "y", true);
  ctx.save();
  ctx.strokeStyle = palette.accent;
  ctx.fillStyle = palette.accent;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  if (current.low !== null && current.high !== null) {
    const cap = 4 * devicePixelRatio;
    ctx.beginPath();
    for (const end of [current.low, current.high].map((v) => u.valToPos(v, "y", true))) {
      ctx.moveTo(x - cap, end);
      ctx.lineTo(x + cap, end);
    }
    ctx.moveTo(x, u.valToPos(current.low, "y", true));
    ctx.lineTo(x, u.valToPos(current.high, "y", true));
    ctx.stroke();
  }
  ctx.beginPath();
  ctx.arc(x, y, 4 * devicePixelRatio, 0, 2 * Math.PI);
  ctx.fill();
  const right = x > bbox.left + bbox.width / 2;
  ctx.font = fontOf(500);
  ctx.textAlign = right ? "right" : "left";
  ctx.textBaseline = "middle";
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.strokeStyle = palette.ground;
  const at = x + (right ? -10 : 10) * devicePixelRatio;
  const words = current.y.toFixed(3);
  ctx.strokeText(words, at, y);
  ctx.fillStyle = palette.accentText;
  ctx.fillText(words, at, y);
  ctx.restore();
}

// Tells which point the cursor is closest to.
function told(u: uPlot, aligned: Aligned, point: (at: Point | null, left: number, top: number) => void): void {
  const { idx, left, top } = u.cursor;
  if (idx === null || idx === undefined || left === undefined || left < 0 || top === undefined) {
    point(null, 0, 0);
    return;
  }
  let closest: Point | null = null;
  let distance = Infinity;
  for (const line of aligned.series) {
    const p = line[idx];
    if (!p) continue;
    const away = Math.abs(u.valToPos(p.y, "y") - top);
    if (away < distance) [closest, distance] = [p, away];
  }
  const box = u.over;
  point(closest, closest === null ? 0 : u.valToPos(closest.x, "x") + box.offsetLeft, closest === null ? 0 : u.valToPos(closest.y, "y") + box.offsetTop);
}
