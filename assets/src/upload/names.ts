/** What operating systems leave in folders beside their content. */
const leftover = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini)$|(^|\/)__MACOSX\//i;

export function isLeftover(path: string): boolean {
  return leftover.test(path);
}

/**
 * The folder that all paths lie in, with its slash, or "". A folder that was dropped or chosen is left out
 * of the names of its files, as the command line and most archives do.
 */
export function commonFolder(paths: readonly string[]): string {
  const first = paths[0] ?? "";
  const folder = first.slice(0, first.indexOf("/") + 1);
  return paths.every((path) => path.startsWith(folder)) ? folder : "";
}

const units = ["B", "kB", "MB", "GB", "TB"];

/** A number of bytes for people: "23.5 MB". */
export function bytes(n: number): string {
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1000;
    unit++;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

/** An integer with a narrow space between thousands, as the server writes it. */
export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** How long something takes, for people: "40 s", "3 min". */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
