/** The errors of the hub. */
import { InputError } from "../base/errors";

/**
 * Why a repository could not be had: the name is none, the hub has no such repository or revision, it does not let us
 * in, it cannot be reached (or must not be: "offline"), the repository has nothing smaug can use, the cache's disk
 * fails us, or the bytes that came are others than the hub announced.
 */
export type HubReason =
  | "name"
  | "not-found"
  | "revision"
  | "refused"
  | "unreachable"
  | "offline"
  | "unusable"
  | "disk"
  | "corrupt";

/** A repository or file that cannot be fetched from the hub or found in the cache. */
export class HubError extends InputError {
  override name = "HubError";

  constructor(
    message: string,
    readonly reason: HubReason,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
