/** `smaug doctor`: everything that has to be right before a tensor can be made, then a product on every device. */

import { type EnvironmentVariables, packageRoot, packageVersion } from "../../base/package";
import type { NativeBinding } from "../interface";
import { attemptLoad } from "../load";
import { buildToolChecks, cudaDriver, hostChecks, pipCheck } from "./host";
import { type Libtorch, locate, supportedText } from "./locate";
import { type Check, hasProblem } from "./report";
import { crashCheck, inSubprocess } from "./subprocess";

export interface DoctorReport {
  ok: boolean;
  smaug: string;
  /** The libtorch in use, as `2.13.0+cpu`, and its folder; null when there is none. */
  libtorch: { version: string; folder: string; cuda: boolean } | null;
  checks: Check[];
}

/** As {@link diagnose}, in a subprocess, so that there is a diagnosis even when libtorch crashes. */
export function diagnoseInSubprocess(env: EnvironmentVariables = process.env, root: string = packageRoot): DoctorReport {
  if ("deno" in process.versions) return diagnose(env, root); // `deno` does not take Node's options
  const diagnosis = inSubprocess<DoctorReport>("doctor", "diagnose", [null, root], env);
  if (!("ended" in diagnosis)) return diagnosis;
  const { libtorch } = locate({ env });
  const found: Check[] = libtorch
    ? [
        { name: "libtorch", found: `${libtorch.version} (${libtorch.source})`, expected: supportedText, status: "ok" },
        { name: "folder", found: libtorch.folder, expected: "lib/, and include/ for building", status: "ok" },
      ]
    : [];
  const checks = [...hostChecks(), ...found, crashCheck(diagnosis, libtorch)];
  return { ok: false, smaug: packageVersion(), libtorch: describeLibtorch(libtorch), checks };
}

/** Looks at the machine, loads what it can and reports. Takes about a second per device. */
export function diagnose(given?: EnvironmentVariables | null, root: string = packageRoot): DoctorReport {
  const env = given ?? process.env;
  const attempt = attemptLoad(env, root, undefined, { verify: true });
  const { libtorch, binding } = attempt;
  const checks = [
    ...hostChecks(),
    ...attempt.checks,
    ...(binding ? deviceChecks(binding, libtorch!.cuda) : []),
    ...buildToolChecks(env, attempt.failed === "addon"),
    pipCheck(env),
  ];
  return {
    ok: !hasProblem(checks),
    smaug: packageVersion(),
    libtorch: describeLibtorch(libtorch),
    checks,
  };
}

function describeLibtorch(libtorch: Libtorch | undefined): DoctorReport["libtorch"] {
  return libtorch ? { version: libtorch.version, folder: libtorch.folder, cuda: libtorch.cuda } : null;
}

function deviceChecks(binding: NativeBinding, builtForCuda: boolean): Check[] {
  const accelerator = binding.accelerator();
  const checks = [productCheck(binding, "cpu")];
  for (let index = 0; index < (accelerator?.count ?? 0); index++) {
    const device = `${accelerator!.type}:${index}`;
    checks.push(productCheck(binding, device, () => `${binding.deviceName(device)}, `));
  }
  const driver = cudaDriver();
  if (driver && !accelerator) checks.push(unusedDriver(driver, builtForCuda));
  return checks;
}

function unusedDriver(driver: string, builtForCuda: boolean): Check {
  const name = "cuda";
  if (builtForCuda)
    return {
      name,
      found: `driver ${driver}, no device`,
      expected: "a device libtorch can use",
      status: "problem",
      fix: "nvidia-smi    (shows what the driver sees; CUDA_VISIBLE_DEVICES can hide devices)",
    };
  return {
    name,
    found: `driver ${driver}, libtorch for the CPU`,
    expected: "libtorch for CUDA, to use the GPU",
    status: "note",
    fix: `npx smaug setup --libtorch "$(python3 -c 'import torch; print(torch.__path__[0])')"    (PyTorch for CUDA)`,
  };
}

/** Multiplies matrices on the device, for a quarter of a second after the first product. `prefix` begins what it reports. */
function productCheck(binding: NativeBinding, device: string, prefix = () => ""): Check {
  const size = 512;
  const expected = `a ${size} x ${size} product`;
  try {
    const [randn, mm] = [binding.findOperator("aten::randn"), binding.findOperator("aten::mm")];
    const matrix = binding.call(randn, [size, size], undefined, undefined, device) as number;
    const multiply = () => binding.release(binding.call(mm, matrix, matrix) as number);
    multiply(); // the first call starts threads and libraries
    binding.synchronize(device);
    const start = performance.now();
    let products = 0;
    for (; performance.now() - start < 250; products++) {
      multiply();
      binding.synchronize(device);
    }
    const gigaflops = (products * 2 * size ** 3) / (performance.now() - start) / 1e6;
    binding.release(matrix);
    return { name: device, found: `${prefix()}${gigaflops.toFixed(0)} GFLOP/s in float32`, expected, status: "ok" };
  } catch (error) {
    const found = (error as Error).message.split("\n")[0]!;
    const fix = "npx smaug setup --fetch    (libtorch for the CPU)";
    return { name: device, found, expected, status: "problem", fix };
  }
}
