import { Scope } from "./scope";

type Mount = (element: HTMLElement, scope: Scope) => void;

const kinds = new Map<string, Mount>();
const mounted = new Map<HTMLElement, Scope[]>();
const known = new WeakMap<HTMLElement, Set<string>>();

/**
 * Mounts every element that matches the selector, now and after each swap, each
 * with a scope that ends when the element leaves the page. Custom elements do
 * not need it: they hold a Scope of their own.
 */
export function island(selector: string, mount: Mount): void {
  kinds.set(selector, mount);
  mountOne(selector, mount);
}

/** Brings the islands in line with the page after its elements were replaced. */
export function sweepIslands(): void {
  for (const [element, scopes] of mounted) {
    if (element.isConnected) continue;
    for (const scope of scopes) scope.dispose();
    mounted.delete(element);
    known.delete(element);
  }
  for (const [selector, mount] of kinds) mountOne(selector, mount);
}

function mountOne(selector: string, mount: Mount): void {
  for (const element of document.querySelectorAll<HTMLElement>(selector)) {
    const selectors = known.get(element) ?? new Set();
    if (selectors.has(selector)) continue;
    known.set(element, selectors.add(selector));
    const scope = new Scope();
    mounted.set(element, [...(mounted.get(element) ?? []), scope]);
    mount(element, scope);
  }
}
