/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Who frees a tensor. Node runs no finalizer inside a synchronous loop, so garbage collection alone would fill memory:
 * a scope frees what was created in it when it ends, an owner (a module, an optimizer, a caller of `keep`) frees its
 * own, and garbage collection is the net under the rest.
 *
 * Every new tensor belongs to the innermost open scope, or to the nursery when there is none. The nursery holds its
 * tensors only until the event loop turns (nothing could collect them sooner) and then hands them to the collector.
 */
import { binding } from "../native/binding";
import { DisposedTensorError } from "../native/errors";

/**
 * Marks a handle that garbage collection frees: its wrapper is registered with the finalization registry. Structured
 * cloning stops at a symbol, and its description is what `postMessage(tensor)` then reports.
 */
const COLLECTED = Symbol("a Tensor cannot leave its thread: send toArray()");

/** The innermost open scope; the nursery when there is none. */
let current: Scope;

const registry = new FinalizationRegistry<number>((slot) => binding.release(slot));

/** A slot of the addon and who frees it. `Tensor` is the only subclass. */
export abstract class Handle {
  /** @internal The addon's slot, -1 after dispose. */
  slot: number;
  /** @internal */
  owner: Scope | typeof COLLECTED;

  constructor(slot: number) {
    this.slot = slot;
    this.owner = current;
    current.add(this);
  }

  /** Drops this reference. What autograd saved stays alive; disposing twice is quiet. */
  dispose(): void {
    if (this.slot === -1) return;
    if (this.owner === COLLECTED) registry.unregister(this);
    binding.release(this.slot);
    this.slot = -1;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal The slot, or an error that says what happened to it. */
  live(use: string): number {
    if (this.slot !== -1) return this.slot;
    throw new DisposedTensorError(
      `${use}: this tensor has been disposed, by dispose() or by the end of the scope it was created in; ` +
        "return it from tidy(), or keep() it, to use it longer",
    );
  }
}

const generators = new FinalizationRegistry<number>((slot) => binding.releaseGenerator(slot));

/** A slot of the addon that holds a random number generator. `Generator` is the only subclass. */
export abstract class GeneratorHandle {
  private slot: number;

  protected constructor(slot: number) {
    this.slot = slot;
    generators.register(this, slot, this);
  }

  /** @internal */
  live(): number {
    if (this.slot === -1) throw new DisposedTensorError("this Generator has been disposed; create a new one");
    return this.slot;
  }

  dispose(): void {
    if (this.slot === -1) return;
    generators.unregister(this);
    binding.releaseGenerator(this.slot);
    this.slot = -1;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function collect(handle: Handle): void {
  handle.owner = COLLECTED;
  registry.register(handle, handle.slot, handle);
}

/** @internal A list of handles that drops the dead ones as it grows, so that a long loop inside one scope stays small. */
export class Scope {
  /** The scope it was opened in. */
  readonly outer: Scope | undefined = current;
  /** So that a tensor is refused by `postMessage` in a scope too. */
  readonly uncloneable = COLLECTED;
  /** Whether tensors may still be added. */
  listening = true;
  protected handles: Handle[] = [];
  private compactAt = 1024;

  add(handle: Handle): void {
    this.handles.push(handle);
    if (this.handles.length >= this.compactAt) this.compact();
  }

  adopt(handle: Handle): void {
    if (handle.owner === COLLECTED) registry.unregister(handle);
    handle.owner = this;
    this.add(handle);
  }

  /** Hands to the enclosing scope what it owns of `value`. */
  release(value: unknown): void {
    const heir = enclosing(this);
    forEachHandle(value, (handle) => {
      if (handle.owner === this) heir.adopt(handle);
    });
  }

  /** Frees what it still owns. */
  end(): void {
    this.listening = false;
    for (const handle of this.handles) if (handle.owner === this) handle.dispose();
    this.handles = [];
  }

  /** Leaves what it owns to garbage collection. */
  abandon(): void {
    this.owned().forEach(collect);
    this.handles = [];
  }

  protected owned(): Handle[] {
    return this.handles.filter((handle) => handle.slot !== -1 && handle.owner === this);
  }

  protected compact(): void {
    this.handles = this.owned();
    this.compactAt = Math.max(1024, 2 * this.handles.length);
  }
}

class Nursery extends Scope {
  /** Tensors created outside any scope since the start. */
  created = 0;
  private scheduled = false;
  private sinceTurn = 0;
  private warned = false;

  override add(handle: Handle): void {
    this.created++;
    super.add(handle);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.turn()).unref();
  }

  protected override compact(): void {
    const live = this.owned();
    this.handles = [];
    live.forEach(collect);
    this.sinceTurn += live.length;
    if (this.sinceTurn < 100_000 || this.warned) return;
    this.warned = true;
    process.emitWarning(
      `${this.sinceTurn} tensors were left to garbage collection in one synchronous run, in which Node frees none; ` +
        "wrap the loop's body in tidy(), or use TensorScope",
      "TensorLeakWarning",
    );
  }

  private turn(): void {
    this.scheduled = false;
    this.compact();
    this.sinceTurn = 0;
    binding.reportMemory();
  }
}

const nursery = new Nursery();
current = nursery;

/** The nearest outer scope that still listens. */
function enclosing(scope: Scope): Scope {
  let outer = scope.outer;
  while (outer && !outer.listening) outer = outer.outer;
  return outer ?? nursery;
}

/** @internal Makes a scope the innermost one; without one, the nursery. */
export function enter(scope: Scope | undefined): void {
  current = scope ?? nursery;
}

/** @internal Ends a scope; when it is the innermost one, the one around it resumes. */
export function leave(scope: Scope): void {
  if (current === scope) current = enclosing(scope);
  scope.end();
}

/**
 * Calls `fn`, for which something was set up that ends when it returns; throws when it returns a promise. `why` says
 * what would go wrong and what to do instead.
 */
export function synchronously<T>(name: string, fn: () => T, why: string): T {
  const result = fn();
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") return result;
  if (result instanceof Promise) result.catch(() => {}); // the error is ours, not the promise's own
  throw new TypeError(`Expected a synchronous function for '${name}' but received one that returns a promise: ${why}`);
}

/** @internal Runs `fn` with `scope` as the innermost one. */
export function within<T>(scope: Scope, name: string, fn: () => T): T {
  const outer = current;
  current = scope;
  try {
    return synchronously(
      name,
      fn,
      "its tensors would be freed while it still runs. Write `using scope = new TensorScope()` in the async function, " +
        "and scope.run() after an await",
    );
  } finally {
    current = outer.listening ? outer : enclosing(outer);
  }
}

/**
 * Runs `fn` and frees every tensor created in it, except those it returns (a tensor, or an array, object, Map or Set of
 * them, at any depth), which go to the enclosing scope. Throws when `fn` returns a promise.
 *
 * ```ts
 * const loss = tidy(() => model.forward(ids).logSoftmax(-1).mean());
 * ```
 */
export function tidy<T>(fn: () => T): T {
  const scope = new Scope();
  try {
    const result = within(scope, "tidy", fn);
    scope.release(result);
    return result;
  } finally {
    scope.end();
  }
}

/** Takes tensors out of every scope: their owner disposes them, or garbage collection does once nothing refers to them. */
export function keep<T>(value: T): T {
  forEachHandle(value, (handle) => {
    if (handle.owner !== COLLECTED) collect(handle);
  });
  return value;
}

/** Frees a tensor, or all tensors in an array, object, Map or Set. */
export function dispose(value: unknown): void {
  forEachHandle(value, (handle) => handle.dispose());
}

/** Visits the live handles in arrays, Maps, Sets and the fields of objects (modules too); cycles end. */
function forEachHandle(root: unknown, visit: (handle: Handle) => void): void {
  const seen = new Set<object>();
  const ahead = [root];
  while (ahead.length > 0) {
    const value = ahead.pop();
    if (value instanceof Handle) {
      if (value.slot !== -1) visit(value);
    } else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !seen.has(value)) {
      seen.add(value);
      const children =
        value instanceof Map
          ? [...value.keys(), ...value.values()]
          : value instanceof Set || Array.isArray(value)
            ? value
            : Object.values(value);
      for (const child of children) ahead.push(child);
    }
  }
}

/** @internal How many tensors were created outside any scope. */
export function createdOutsideScope(): number {
  return nursery.created;
}
