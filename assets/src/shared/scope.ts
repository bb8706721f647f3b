/** What to undo when a scope ends. */
export type Cleanup = () => void;

/**
 * Everything that an island holds on to: listeners, timers, frames, observers.
 * One call of dispose gives all of it back, so an island that is swapped away
 * leaves nothing behind. No island adds a listener in any other way.
 */
export class Scope {
  readonly #controller = new AbortController();
  readonly #cleanups = new Set<Cleanup>();

  /** Aborts when the scope is disposed; give it to fetch. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get disposed(): boolean {
    return this.signal.aborted;
  }

  /** Listens until the scope is disposed. */
  on<K extends keyof WindowEventMap>(target: Window, type: K, listener: (event: WindowEventMap[K]) => void, options?: AddEventListenerOptions): void;
  on<K extends keyof DocumentEventMap>(target: Document, type: K, listener: (event: DocumentEventMap[K]) => void, options?: AddEventListenerOptions): void;
  on<K extends keyof HTMLElementEventMap>(target: Element, type: K, listener: (event: HTMLElementEventMap[K]) => void, options?: AddEventListenerOptions): void;
  on(target: EventTarget, type: string, listener: (event: Event) => void, options?: AddEventListenerOptions): void;
  on(target: EventTarget, type: string, listener: (event: never) => void, options?: AddEventListenerOptions): void {
    target.addEventListener(type, listener as EventListener, { ...options, signal: this.signal });
  }

  /** Runs later, unless the scope is disposed or the returned function is called first. */
  after(milliseconds: number, run: () => void): Cleanup {
    const timer = setTimeout(() => {
      forget();
      run();
    }, milliseconds);
    const forget = this.add(() => clearTimeout(timer));
    return forget;
  }

  /** Runs again and again until the scope is disposed or the returned function is called. */
  every(milliseconds: number, run: () => void): Cleanup {
    const timer = setInterval(run, milliseconds);
    return this.add(() => clearInterval(timer));
  }

  /** Runs before the next paint, unless the scope is disposed or the returned function is called first. */
  frame(run: (time: number) => void): Cleanup {
    const frame = requestAnimationFrame((time) => {
      forget();
      run(time);
    });
    const forget = this.add(() => cancelAnimationFrame(frame));
    return forget;
  }

  /**
   * Runs cleanup when the scope is disposed, or at once if it already is. The
   * returned function runs it now, and never again.
   */
  add(cleanup: Cleanup): Cleanup {
    if (this.disposed) {
      cleanup();
      return () => {};
    }
    const entry = () => cleanup();
    this.#cleanups.add(entry);
    return () => {
      if (this.#cleanups.delete(entry)) cleanup();
    };
  }

  /** A scope that ends with this one at the latest. */
  child(): Scope {
    const child = new Scope();
    child.add(this.add(() => child.dispose()));
    return child;
  }

  /** Gives everything back, newest first. Disposing again does nothing. */
  dispose(): void {
    this.#controller.abort();
    const cleanups = [...this.#cleanups].reverse();
    this.#cleanups.clear();
    for (const cleanup of cleanups) cleanup();
  }
}
