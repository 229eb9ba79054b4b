/**
 * The one typed seam to the addon. Nothing else in the tree touches a `.node` file. Arguments are not checked for sense
 * here: callers in `src/torch` do that once.
 */
import { nativeError } from "./errors";
import type { NativeBinding } from "./interface";
import { load } from "./load";

/**
 * The addon. Importing this module opens nothing: the first use of any entry point loads libtorch and the addon, or
 * throws a `NativeLoadError`, and replaces this stand-in, so that later calls cost what a plain call costs. Read it
 * where it is used; a copy made before the first use stays the stand-in.
 */
export let binding: NativeBinding = new Proxy({} as NativeBinding, {
  get: (_, entry) => Reflect.get(loaded(), entry),
});

function loaded(): NativeBinding {
  const addon = load();
  addon.setErrorFactory(nativeError);
  binding = addon;
  return addon;
}
