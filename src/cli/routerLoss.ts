/**
 * `router_aux_loss_coef`, the weight of the loss that spreads tokens over a mixture's experts. That loss is not here, so
 * that 0 is right for a mixture, and nothing but null for a dense model, as in TRL 1.16.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Problem, conflict } from "../base/problems";
import { readInputJson } from "../base/inputFiles";
import { isObject } from "../base/values";

const KEY = "router_aux_loss_coef";

interface Setting {
  readonly modelNameOrPath: string | null;
  readonly routerAuxLossCoef: number | null;
}

/** What is wrong with it, as far as the model's folder on this machine says whether it is a mixture. */
export function routerLossProblems({ modelNameOrPath: folder, routerAuxLossCoef: coef }: Setting): Problem[] {
  if (coef === null || folder === null) return [];
  return routerLossProblemsOf(coef, isMixtureFolder(folder), folder);
}

/** @param isMixture undefined when it is not known */
export function routerLossProblemsOf(coef: number | null, isMixture: boolean | undefined, model: string): Problem[] {
  if (coef === null) return [];
  if (isMixture === false)
    return [conflict(KEY, `Expected no '${KEY}', or null, with ${model}, which is not a mixture of experts, but received ${coef}; leave it out`)];
  if (coef === 0) return [];
  return [conflict(KEY, `Expected 0 for '${KEY}' but received ${coef}: the auxiliary loss of mixtures is not there yet; write ${KEY}: 0`)];
}

/** The note for a mixture whose coefficient is not given. */
export const NO_ROUTER_LOSS = `no auxiliary loss is added for the mixture's router, where TRL adds one; ${KEY}: 0 says so, and ends this note`;

function isMixtureFolder(folder: string): boolean | undefined {
  const file = join(folder, "config.json");
  if (!existsSync(file)) return undefined;
  try {
    const config = readInputJson(file, "a model's configuration");
    return isObject(config) ? Object.keys(config).some((key) => /^(num_(local_)?|n_routed_)experts$/.test(key)) : undefined;
  } catch {
    return undefined; // loading the model says what is wrong with it
  }
}
