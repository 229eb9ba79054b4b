/**
 * Identifies what a model computes by a hash of its settings and every weight. Two folders with the same weights have the
 * same fingerprint; replacing a folder's weights changes it.
 */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { deviceProperties, noGrad, type Tensor, tidy } from "../../torch";

/** Elements copied to the host at a time. */
const STEP = 4 << 20;

/**
 * The SHA-256 of settings and tensors, as hex digits. The order of the tensors does not matter; name, dtype, shape, kind
 * of device and every bit of the values do. Yields to the event loop between tensors.
 *
 * ```ts
 * const id = await fingerprint(model.config, model.namedParameters());
 * ```
 */
export async function fingerprint(settings: object, tensors: Iterable<[name: string, tensor: Tensor]>): Promise<string> {
  const hash = createHash("sha256").update(canonical(settings));
  for (const [name, tensor] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { type } = deviceProperties(tensor.device); // the same weights give slightly different log-probs on a GPU
    hash.update(`\0${name} ${tensor.dtype} [${tensor.shape.join(",")}] ${type}\0`);
    for (const bytes of bytesOf(tensor)) hash.update(bytes);
    await setImmediate();
  }
  return hash.digest("hex");
}

function* bytesOf(tensor: Tensor): Generator<Uint8Array> {
  const count = tensor.numel();
  for (let from = 0; from < count; from += STEP)
    yield tidy(() =>
      noGrad(() => {
        const part = tensor
          .detach()
          .reshape([-1])
          .narrow(0, from, Math.min(STEP, count - from));
        return part.to("cpu").contiguous().view("uint8").toArray() as Uint8Array;
      }),
    );
}

/** JSON with sorted keys. */
function canonical(settings: object): string {
  return JSON.stringify(settings, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
