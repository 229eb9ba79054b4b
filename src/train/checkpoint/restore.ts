/** Resuming from a checkpoint: finding it, checking every file of it, and restoring what it holds. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { InputError } from "../../base/errors";
import { CHECKSUMS_FILE, hasChecksums, verifyChecksums } from "../../base/files/checksums";
import { adapterTensors, type CausalLM, FolderError, SafetensorsFile } from "../../models";
import { openWeights } from "../../models/weights";
import { hasAdapter } from "../../nn";
import type { StateLayout } from "../../optim/optimizer";
import { type Device, setRngState, type Tensor, tidy } from "../../torch";
import { STATE_FILE } from "../output/entries";
import { OptimizerFile, shownEntry } from "./optimizerFile";
import { checkpointsIn, generatorsOf, OPTIMIZER_FILE, type Resumable, RNG_FILE, rngStates } from "./save";
import { readSavedState, type TrainerState } from "./state";

/** A checkpoint is damaged; `whole` is the newest one next to it that is intact. */
export class DamagedCheckpointError extends InputError {
  override name = "DamagedCheckpointError";

  constructor(
    readonly damage: string,
    readonly whole: string | undefined,
    places: readonly string[],
    cause: unknown,
  ) {
    const others =
      whole !== undefined
        ? `The newest intact checkpoint is ${whole}`
        : `There is no other intact checkpoint in ${places.join(" or ")}`;
    super(`${damage}. ${others}`);
    this.cause = cause;
  }
}

export interface OpenedCheckpoint {
  readonly folder: string;
  readonly state: TrainerState;
  /** Whether its files were checked against their checksums; older versions wrote none. */
  readonly isVerified: boolean;
}

/**
 * Finds the checkpoint that `resume_from_checkpoint` means, and checks all of its files.
 *
 * @param layout of the state of the run's optimizer
 * @throws DamagedCheckpointError that names the file, and the newest checkpoint to resume from instead
 */
export function openCheckpoint(which: string | true, outputDir: string, layout: StateLayout): OpenedCheckpoint {
  const folder = findCheckpoint(which, outputDir);
  try {
    const problem = whyNoCheckpoint(folder);
    if (problem !== undefined) throw new InputError(problem);
    return verifyCheckpoint(folder, layout);
  } catch (error) {
    if (!(error instanceof InputError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    const places = [...new Set([dirname(resolve(folder)), resolve(outputDir)])];
    const others = places
      .flatMap((place) => checkpointsIn(place).reverse())
      .filter((other) => resolve(other.folder) !== resolve(folder));
    throw new DamagedCheckpointError(
      (error as Error).message,
      others.find((other) => isWhole(other.folder, layout))?.folder,
      places,
      error,
    );
  }
}

/**
 * Checks every file of a checkpoint against its checksums or, where an older version wrote none, that it is a file of its
 * kind.
 *
 * @throws InputError that names the file
 */
export function verifyCheckpoint(folder: string, layout: StateLayout): OpenedCheckpoint {
  const { state, hasChecksums: needsChecksums } = readVerified(folder);
  for (const name of readdirSync(folder)) if (name.endsWith(".safetensors")) new SafetensorsFile(join(folder, name));
  new OptimizerFile(join(folder, OPTIMIZER_FILE), layout).expectSteps(state.globalStep);
  expectRngNames(new SafetensorsFile(join(folder, RNG_FILE)));
  return { folder, state, isVerified: needsChecksums };
}

function readVerified(folder: string): ReturnType<typeof readSavedState> {
  if (!hasChecksums(folder)) {
    const saved = readSavedState(folder);
    if (!saved.hasChecksums) return saved;
    throw new InputError(`Expected the checksums of the checkpoint at ${join(folder, CHECKSUMS_FILE)} but there is none`);
  }
  const verified = verifyChecksums(folder);
  const added = [STATE_FILE, ...readdirSync(folder)].find((name) => isRead(name) && !verified.has(name));
  if (added !== undefined)
    throw new InputError(
      `Expected only files that ${CHECKSUMS_FILE} lists but received ${join(folder, added)}; it does not belong to this checkpoint`,
    );
  return readSavedState(folder);
}

/** The files that restoring reads. */
const isRead = (name: string): boolean => /\.safetensors(\.index\.json)?$/.test(name) || name === STATE_FILE;

function isWhole(folder: string, layout: StateLayout): boolean {
  try {
    verifyCheckpoint(folder, layout);
    return true;
  } catch {
    return false; // the caller does not need the reason
  }
}

/**
 * Checks that what a checkpoint holds fits the model and its optimizer, without changing either.
 *
 * @throws InputError that names the file and the tensor
 */
export function expectCheckpointFits(folder: string, { model, optimizer }: Resumable): void {
  tidy(() => {
    using weights = openTrained(model, folder);
    expectShapes(weights, trainedTensors(model));
    new OptimizerFile(join(folder, OPTIMIZER_FILE), optimizer.layout).expectFits(optimizer);
    const rng = new SafetensorsFile(join(folder, RNG_FILE));
    for (const [name, state] of Object.entries(rngStates(model.device))) {
      const found = rng.entries.get(name);
      if (!found && name !== "cpu") continue; // of a run on another device
      if (found?.dtype !== "uint8" || `${found.shape}` !== `${state.shape}`)
        throw new InputError(
          `Expected the state of a generator, uint8 [${state.shape.join(", ")}], for '${name}' in ${rng.path} but received ${shownEntry(found)}`,
        );
    }
  });
}

/** Restores what `saveCheckpoint` wrote, after `expectCheckpointFits` has checked it. */
export function restoreCheckpoint(folder: string, { model, optimizer }: Resumable): void {
  tidy(() => {
    const rng = new SafetensorsFile(join(folder, RNG_FILE));
    for (const [name, owner] of Object.entries(generatorsOf(model.device)))
      if (rng.entries.has(name)) setGenerator(rng, name, owner);
    optimizer.loadStateDict({
      state: new OptimizerFile(join(folder, OPTIMIZER_FILE), optimizer.layout).read(),
      groups: optimizer.stateDict().groups,
    });
  });
  restoreWeights(model, folder);
}

function setGenerator(rng: SafetensorsFile, name: string, device: Device): void {
  try {
    setRngState(rng.read(name), device);
  } catch (error) {
    throw new InputError(
      `Expected the state of a generator for '${name}' in ${rng.path} but received: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** Copies a checkpoint's weights into the model. */
export function restoreWeights(model: CausalLM, folder: string): void {
  tidy(() => {
    using weights = openTrained(model, folder);
    const tensors = trainedTensors(model);
    expectShapes(weights, tensors);
    for (const [name, tensor] of Object.entries(tensors)) weights.copyTo(name, tensor.detach());
  });
}

/** The tensors that a run trains and saves: those of the adapter, or all. */
function trainedTensors(model: CausalLM): Record<string, Tensor> {
  return hasAdapter(model) ? adapterTensors(model) : model.stateDict();
}

interface Source extends Disposable, Pick<SafetensorsFile, "copyTo"> {
  readonly entries: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  /** The file, or the folder of several. */
  readonly place: string;
}

function openTrained(model: CausalLM, folder: string): Source {
  if (hasAdapter(model)) {
    const file = new SafetensorsFile(join(folder, "adapter_model.safetensors"));
    return { place: file.path, entries: file.entries, copyTo: file.copyTo.bind(file), [Symbol.dispose]: () => undefined };
  }
  const weights = openWeights(folder);
  return {
    place: folder,
    entries: weights.entries,
    copyTo: weights.copyTo.bind(weights),
    [Symbol.dispose]: () => weights[Symbol.dispose](),
  };
}

function expectShapes({ entries, place }: Source, tensors: Record<string, Tensor>): void {
  for (const [name, { shape }] of Object.entries(tensors))
    if (`${entries.get(name)?.shape}` !== `${shape}`)
      throw new FolderError(`Expected '${name}' [${shape.join(", ")}] in the checkpoint's ${place}; it is of another model`);
  const extra = [...entries.keys()].find((name) => !Object.hasOwn(tensors, name));
  if (extra !== undefined) throw new FolderError(`Expected no '${extra}' in the checkpoint's ${place}; it is of another model`);
}

/** The folder that `resume_from_checkpoint` means: a path, or the newest in `outputDir` for `true`. */
function findCheckpoint(which: string | true, outputDir: string): string {
  const newest = checkpointsIn(which === true ? outputDir : which).at(-1);
  if (which === true && newest) return newest.folder;
  if (which === true)
    throw new InputError(`Expected a checkpoint in ${outputDir} for 'resume_from_checkpoint' but there is none`);
  const problem = newest && whyNoCheckpoint(which);
  if (problem === undefined) return which;
  throw new InputError(`${problem}; did you mean ${newest!.folder}?`);
}

/** Why a folder is not a checkpoint; undefined when it looks like one. */
function whyNoCheckpoint(folder: string): string | undefined {
  const missing = [STATE_FILE, OPTIMIZER_FILE, RNG_FILE].find((name) => !existsSync(join(folder, name)));
  if (missing === undefined) return undefined;
  const what = existsSync(folder) ? `which has no ${missing}` : "which is not there";
  return `Expected a checkpoint for 'resume_from_checkpoint' but received ${folder}, ${what}`;
}

function expectRngNames({ path, entries }: SafetensorsFile): void {
  if (entries.has("cpu")) return;
  throw new InputError(
    `Expected the state of the CPU's generator, 'cpu', in ${path} but received ${[...entries.keys()].slice(0, 3).join(", ") || "nothing"}`,
  );
}
