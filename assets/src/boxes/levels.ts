// Brightness, contrast, and for 16-bit images window and level.

/** Where a 16-bit image's grey goes from black to white, 0…65535. */
export interface Window {
  readonly low: number;
  readonly high: number;
}

/** Both from -1 to 1; 0 leaves the image as it is. */
export interface Levels {
  readonly brightness: number;
  readonly contrast: number;
}

export const neutral: Levels = { brightness: 0, contrast: 0 };

// Contrast -1 … 0 … 1 is a slope of 0.2 … 1 … 5.
function slope(contrast: number): number {
  return 5 ** contrast;
}

/** The grey values of a 16-bit image that are drawn black and white under these levels. */
export function shownWindow(window: Window, levels: Levels): Window {
  const width = window.high - window.low;
  const middle = (window.low + window.high) / 2 - levels.brightness * width;
  const half = width / slope(levels.contrast) / 2;
  return { low: middle - half, high: middle + half };
}

/**
 * The 4×5 matrix of an SVG feColorMatrix in sRGB, or null where nothing is to be done.
 * A window rendition holds the high byte in red and the low byte in green, and
 * becomes grey: out = gain × (R × 65280 + G × 255) / 65535 + offset, in units of 0…1.
 */
export function matrix(window: Window | null, levels: Levels): number[] | null {
  if (window === null) {
    if (levels.brightness === 0 && levels.contrast === 0) return null;
    const k = slope(levels.contrast);
    const o = 0.5 - 0.5 * k + levels.brightness;
    return [k, 0, 0, 0, o, 0, k, 0, 0, o, 0, 0, k, 0, o, 0, 0, 0, 1, 0];
  }
  const shown = shownWindow(window, levels);
  const gain = 65535 / Math.max(1, shown.high - shown.low);
  const offset = (-gain * shown.low) / 65535;
  const row = [(gain * 65280) / 65535, (gain * 255) / 65535, 0, 0, offset];
  return [...row, ...row, ...row, 0, 0, 0, 1, 0];
}
