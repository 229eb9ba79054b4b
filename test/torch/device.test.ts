import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { acceleratorType, defaultDevice, deviceCount, deviceProperties, hasDevice, zeros } from "../../src/torch";
import { isDeviceString } from "../../src/torch/device";

describe("deviceProperties", () => {
  test.each([
    ["cpu", { type: "cpu", index: null, isAccelerator: false, isAsynchronous: false }],
    ["cuda", { type: "cuda", index: null, isAccelerator: true, isAsynchronous: true, hasVariableLengthAttention: true }],
    ["cuda:12", { type: "cuda", index: 12, isAccelerator: true, isAsynchronous: true, hasVariableLengthAttention: true }],
    ["xpu:1", { type: "xpu", index: 1, isAccelerator: true, isAsynchronous: true, hasVariableLengthAttention: false }],
    ["constructor", { type: "constructor", isAccelerator: true }], // a name like another, not a property of an object
  ])("%s", (device, expected) => {
    expect(deviceProperties(device)).toMatchObject(expected);
  });

  test("of the CPU names bfloat16 where the processor has instructions for it", () => {
    const flags = readFileSync("/proc/cpuinfo", "utf8").split(/\s+/);
    const has = flags.includes("avx512_bf16") || flags.includes("amx_bf16");
    expect(deviceProperties("cpu").halfPrecisions).toEqual(has ? ["bfloat16"] : []);
  });

  test("are those of a tensor's device", () => {
    expect(deviceProperties(zeros([1]).device).type).toBe("cpu");
  });
});

test.each([
  ["cpu cuda cuda:0 cuda:12 xpu:1 mps privateuseone privateuseone:3", true],
  ["", false],
  ["gpu CPU cpu:0 cuda: cuda:01 cuda:-1 cuda:1:2 :1 constructor meta", false],
])("%j are device strings: %j", (texts, expected) => {
  for (const text of texts.split(" ")) expect([text, isDeviceString(text)]).toEqual([text, expected]);
});

test("the default device is the accelerator, if there is one", () => {
  expect(defaultDevice()).toBe(deviceCount() > 0 ? acceleratorType() : "cpu");
  expect([hasDevice("cpu"), hasDevice(defaultDevice()), hasDevice("cuda:4096"), hasDevice("nonsense")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
