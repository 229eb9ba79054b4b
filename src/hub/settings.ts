/**
 * The environment variables of huggingface_hub, with its names and its precedence: where the cache is, which hub is
 * asked, with which token, or whether none may be. Tokens that refresh themselves (OAuth, OIDC) are left out.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { readInputText } from "../base/files/inputFiles";
import type { Environment } from "../native/paths";

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly cache: string;
  readonly token: string | undefined;
  /** The variable that forbids the network, or undefined when none does. */
  readonly offline: string | undefined;
  readonly showProgress: boolean;
}

export const defaultEndpoint = "https://huggingface.co";

export function hubSettings(env: Environment = process.env): HubSettings {
  const user = env.HOME || homedir();
  const path = (value: string) => value.replace(/^~(?=\/|$)/, user);
  const home = path(env.HF_HOME || join(env.XDG_CACHE_HOME || join(user, ".cache"), "huggingface"));
  const isSet = (name: string) => /^(1|on|yes|true)$/i.test(env[name] ?? "");
  const tokenFile = path(env.HF_TOKEN_PATH || join(home, "token"));
  const token = () => env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || readToken(tokenFile);
  return {
    endpoint: (env.HF_ENDPOINT || defaultEndpoint).replace(/\/+$/, ""),
    cache: path(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")),
    token: isSet("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? undefined : token()?.trim() || undefined,
    offline: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].find(isSet),
    showProgress: !isSet("HF_HUB_DISABLE_PROGRESS_BARS"),
  };
}

function readToken(file: string): string | undefined {
  try {
    return readInputText(file, "a token", { maxBytes: 1 << 16 });
  } catch {
    return undefined; // most users have none, and public repositories need none
  }
}
