/**
 * Scopes for blocks, also in async functions. Tensors belong to the innermost open scope (scope.ts), and other code runs
 * while an async function waits: a block stops listening at its first `await`.
 */
import { promiseHooks } from "node:v8";
import { DisposedTensorError } from "../native/errors";
import { enter, type Handle, leave, Scope, within } from "./scope";

/** The blocks opened in this synchronous run that have not ended. */
const blocks = new Set<Block>();

/**
 * The block of a `TensorScope`: what is created while it is the innermost scope, in the synchronous run that opened it.
 * An `await` in the block gives control back to the caller, in that same run, whose tensors are not the block's. Nothing
 * tells this from an `await` in a function that the block has called, after which the block resumes.
 */
class Block extends Scope {
  /** Created before anything was awaited. */
  private certain: Handle[] | undefined;

  /** Something has been awaited: from here on it may be other code that creates tensors. */
  doubt(): void {
    if (this.certain) return;
    this.certain = this.handles;
    this.handles = [];
  }

  /** The run is over and the block is not: it has awaited, so what is in doubt is left to garbage collection. */
  suspend(): void {
    this.listening = false;
    if (!this.certain) return;
    this.abandon();
    this.handles = this.certain;
  }

  override end(): void {
    blocks.delete(this);
    if (this.certain) this.handles = this.certain.concat(this.handles);
    super.end();
  }
}

let stopWatching: (() => void) | undefined;
let suspensionQueued = false;

/** Watches for the first `await` and for the end of the synchronous run: whatever comes next is other code. */
function watch(): void {
  stopWatching ??= promiseHooks.createHook({
    // Every `await` and `then` makes a promise from another one; a call of an async function does not.
    init(_promise, parent: Promise<unknown> | undefined) {
      if (parent) for (const block of blocks) block.doubt();
    },
    after: suspend,
  }) as () => void;
  if (suspensionQueued) return;
  suspensionQueued = true;
  queueMicrotask(() => {
    suspensionQueued = false;
    suspend();
  });
}

function suspend(): void {
  for (const block of blocks) block.suspend();
  blocks.clear();
  stopWatchingIfIdle();
  enter(undefined);
}

function stopWatchingIfIdle(): void {
  if (blocks.size > 0) return;
  stopWatching?.();
  stopWatching = undefined;
}

/** The scopes of `TensorScope`s that were forgotten: their tensors may be in use, and are left to garbage collection. */
const forgotten = new FinalizationRegistry<Scope[]>((scopes) => scopes.forEach((scope) => scope.abandon()));

/**
 * A scope for a block: frees the tensors created while it is the innermost one, when it is disposed.
 *
 * ```ts
 * for (const batch of batches) {
 *   using scope = new TensorScope();
 *   step(batch);
 * }
 * ```
 *
 * It listens until the block ends or, in an async function, until the first `await`: other code runs in between, and
 * its tensors are not this scope's. After an `await`, use `scope.run(() => …)`.
 */
export class TensorScope {
  /** What is created in `run`. */
  private readonly scope = new Scope();
  private readonly block = new Block();

  constructor() {
    enter(this.block);
    blocks.add(this.block);
    watch();
    forgotten.register(this, [this.scope, this.block], this);
  }

  /** Runs `fn` with this scope as the innermost one; its tensors live until the scope is disposed. */
  run<T>(fn: () => T): T {
    if (!this.scope.listening) throw new DisposedTensorError("TensorScope.run: this scope has been disposed; create a new one");
    return within(this.scope, "TensorScope.run", fn);
  }

  /** Moves tensors (a tensor, or an array, object or Map of them) out to the enclosing scope. */
  escape<T>(value: T): T {
    this.scope.release(value);
    this.block.release(value);
    return value;
  }

  dispose(): void {
    if (!this.scope.listening) return;
    forgotten.unregister(this);
    this.scope.end();
    leave(this.block);
    stopWatchingIfIdle();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
