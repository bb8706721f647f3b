// The next task is fetched while the present one is worked on: its data and its image, decoded.
import type { State } from "./contract";

/** A task with what is to be seen or heard of it. */
export interface Ready<Media = HTMLImageElement> {
  readonly state: State;
  readonly media: Media;
}

/** An image element that has the item's picture, decoded. Kept as an element, since media are never cached. */
export async function picture(state: State): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = state.image.window?.src ?? state.image.src;
  // A broken picture is shown as such: the task can still be put aside.
  await image.decode().catch(() => undefined);
  return image;
}

export class Next<Media = HTMLImageElement> {
  private fetching: Promise<Ready<Media> | null> | null = null;
  private held: Ready<Media> | null = null;
  private leaving = false;

  constructor(
    private readonly claim: (after: number) => Promise<State | null>,
    private readonly load: (state: State) => Promise<Media>,
  ) {}

  /** The task that is held besides the present one, for the heartbeat. */
  get assignment(): number | null {
    return this.held?.state.assignment ?? null;
  }

  /**
   * Claims the next task unless that was done. While the present one is being left it does nothing: what
   * it would be given is the very task that comes now, and it would be shown a second time.
   */
  prefetch(after: number): void {
    if (!this.leaving) this.fetching ??= this.fetch(after);
  }

  /** A task is on the bench: from here on the one after it can be fetched. */
  arrived(): void {
    this.leaving = false;
  }

  private async fetch(after: number): Promise<Ready<Media> | null> {
    try {
      const state = await this.claim(after);
      if (!state) {
        this.fetching = null;
        return null;
      }
      this.held = { state, media: await this.load(state) };
      return this.held;
    } catch {
      this.fetching = null;
      return null;
    }
  }

  /** What was fetched, or is being; null where there is nothing yet. Asked again it starts anew. */
  async take(): Promise<Ready<Media> | null> {
    this.leaving = true;
    const ready = await this.fetching;
    this.drop();
    return ready;
  }

  /** The lease of the task ran out, or its turn has come. */
  drop(): void {
    this.fetching = null;
    this.held = null;
  }
}
