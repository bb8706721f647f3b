import type uPlot from "uplot";
import { dashOf } from "./draw";
import { type Palette, paletteOf } from "./palette";

const room = 12;
const head = 44; // the title and, below it, the measure
const line = 20; // of the keys

/** What stands round a chart on a picture of it. */
export interface Words {
  readonly title: string;
  readonly measure: string;
  readonly series: readonly string[]; // the names of the lines; of one alone none is written
}

/** picture hands out a chart as a PNG file: with its title and measure above and the names of its lines below, as it has neither on a slide. */
export async function picture(drawn: uPlot, words: Words): Promise<void> {
  const canvas = paint(drawn, words);
  const blob = await new Promise<Blob | null>((done) => (canvas === null ? done(null) : canvas.toBlob(done, "image/png")));
  if (blob === null) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${words.title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "chart"}.png`;
  link.click();
  URL.revokeObjectURL(link.href);
}

function paint(drawn: uPlot, words: Words): HTMLCanvasElement | null {
  const from = drawn.ctx.canvas;
  const scale = devicePixelRatio;
  const keys = words.series.length > 1 ? words.series : [];
  const canvas = document.createElement("canvas");
  canvas.width = from.width + 2 * room * scale;
  canvas.height = from.height + (2 * room + head + keys.length * line) * scale;
  const ctx = canvas.getContext("2d");
  if (ctx === null) return null;
  const palette = paletteOf(drawn.root);
  const family = getComputedStyle(document.body).fontFamily;
  ctx.fillStyle = palette.ground;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(from, room * scale, (room + head) * scale);
  ctx.scale(scale, scale);
  ctx.textBaseline = "top";
  ctx.fillStyle = palette.ink;
  ctx.font = `600 15px ${family}`;
  ctx.fillText(words.title, room, room);
  ctx.fillStyle = palette.faint;
  ctx.font = `13px ${family}`;
  ctx.fillText(words.measure, room, room + 20);
  keys.forEach((name, i) => key(ctx, palette, name, i, from.height / scale + room + head + i * line));
  return canvas;
}

// The name of a line behind a piece of it.
function key(ctx: CanvasRenderingContext2D, palette: Palette, name: string, i: number, y: number): void {
  ctx.strokeStyle = i === 0 ? palette.ink : palette.others[(i - 1) % palette.others.length]!;
  ctx.lineWidth = 1.5;
  ctx.setLineDash([...dashOf(i)]);
  ctx.beginPath();
  ctx.moveTo(room, y + line / 2);
  ctx.lineTo(room + 28, y + line / 2);
  ctx.stroke();
  ctx.fillStyle = palette.ink;
  ctx.fillText(name, room + 36, y + 2);
}
