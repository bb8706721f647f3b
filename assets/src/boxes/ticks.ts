/** The distance between numbered ticks in image pixels: 1, 2 or 5 times a power of ten, and at least 56 px on the screen. */
export function tickStep(scale: number): number {
  const least = Math.max(1, 56 / scale);
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5].map((m) => m * power).find((s) => s >= least) ?? 10 * power;
}
