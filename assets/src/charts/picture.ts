import type uPlot from "uplot";

const room = 12;
const head = 28;

/** picture hands out a chart as a PNG file, with its title over it. */
export async function picture(drawn: uPlot, title: string): Promise<void> {
  const from = drawn.ctx.canvas;
  const scale = devicePixelRatio;
  const canvas = document.createElement("canvas");
  canvas.width = from.width + 2 * room * scale;
  canvas.height = from.height + (2 * room + head) * scale;
  const ctx = canvas.getContext("2d");
  if (ctx === null) return;
  const style = getComputedStyle(document.body);
  ctx.fillStyle = getComputedStyle(document.documentElement).backgroundColor;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(from, room * scale, (room + head) * scale);
  ctx.fillStyle = style.color;
  ctx.font = `600 ${15 * scale}px ${style.fontFamily}`;
  ctx.textBaseline = "top";
  ctx.fillText(title, room * scale, room * scale);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (blob === null) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "chart"}.png`;
  link.click();
  URL.revokeObjectURL(link.href);
}
