// Where the knob sits that turns the chosen box.
import { knobPoint, type Point, type Turned } from "./geometry";
import type { Viewport } from "./viewport";

const away = 22;
const margin = 8;

export interface Knob {
  /** On the image. */
  readonly at: Point;
  /** It hangs below the box, since above there is no room on the stage. */
  readonly below: boolean;
}

export function knobOf(b: Turned, view: Viewport): Knob {
  const above = knobPoint(b, view.reach(away), false);
  const beneath = knobPoint(b, view.reach(away), true);
  const below = !seen(above, view) && seen(beneath, view);
  return { at: below ? beneath : above, below };
}

function seen(p: Point, view: Viewport): boolean {
  const s = view.toScreen(p);
  const { w, h } = view.stageSize;
  const low = view.inset + margin;
  return s.x >= low && s.y >= low && s.x <= w - margin && s.y <= h - margin;
}
