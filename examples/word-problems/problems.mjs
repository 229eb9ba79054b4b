/**
 * Invented word problems in the form of MetaMathQA: a list of { query, response, type, original_question }, worked step by
 * step, the answer last. For trying the paper's recipe where the data set itself is not at hand.
 *
 *   node examples/word-problems/problems.mjs 400 7 > problems.json
 */
const [count = "400", seed = "7"] = process.argv.slice(2);

// mulberry32: small, and the same everywhere
let state = Number(seed) >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let z = Math.imul(state ^ (state >>> 15), 1 | state);
  z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
  return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
};
const integer = (low, high) => low + Math.floor(random() * (high - low + 1));
const pick = (list) => list[integer(0, list.length - 1)];

const names = ["Maria", "Ken", "Aisha", "Tom", "Ling", "Omar", "Sofia", "Raj", "Nora", "Ben"];
const things = ["apples", "marbles", "stickers", "pencils", "cookies", "shells", "cards", "beads"];
const last = (answer) => `The answer is: ${answer}`;

const kinds = [
  () => {
    const [name, thing, bags, each, given] = [pick(names), pick(things), integer(3, 12), integer(4, 15), integer(5, 11)];
    const all = bags * each;
    return [
      `${name} has ${bags} bags with ${each} ${thing} in each bag. ${name} gives away ${given} ${thing}. How many ${thing} are left?`,
      `${name} has ${bags} bags with ${each} ${thing} each, so there are ${bags} * ${each} = ${all} ${thing} in total.\n` +
        `After giving away ${given}, there are ${all} - ${given} = ${all - given} ${thing} left.\n${last(all - given)}`,
    ];
  },
  () => {
    const [name, price, many, paid] = [pick(names), integer(2, 9), integer(3, 8), integer(80, 120)];
    const cost = price * many;
    return [
      `A notebook costs $${price}. ${name} buys ${many} notebooks and pays with $${paid}. How much change does ${name} get?`,
      `The ${many} notebooks cost ${many} * $${price} = $${cost}.\n${name} pays with $${paid}, so the change is ` +
        `$${paid} - $${cost} = $${paid - cost}.\n${last(paid - cost)}`,
    ];
  },
  () => {
    const [name, first, more, times] = [pick(names), integer(10, 40), integer(5, 20), integer(2, 4)];
    const second = first + more;
    const both = first + second;
    return [
      `${name} read ${first} pages on Monday and ${more} more pages on Tuesday than on Monday. On Wednesday ${name} read ` +
        `${times} times as many pages as on both days together. How many pages did ${name} read on Wednesday?`,
      `On Tuesday ${name} read ${first} + ${more} = ${second} pages.\nOn both days together that is ${first} + ${second} = ` +
        `${both} pages.\nOn Wednesday ${name} read ${times} * ${both} = ${times * both} pages.\n${last(times * both)}`,
    ];
  },
  () => {
    const [name, rows, seats, taken] = [pick(names), integer(6, 15), integer(8, 14), integer(10, 40)];
    const all = rows * seats;
    return [
      `A hall has ${rows} rows with ${seats} seats in each row. ${name} counts ${taken} people in it. How many seats are free?`,
      `The hall has ${rows} * ${seats} = ${all} seats.\nSince ${taken} people are in it, ${all} - ${taken} = ${all - taken} ` +
        `seats are free.\n${last(all - taken)}`,
    ];
  },
  () => {
    const [name, wage, hours, days, rent] = [pick(names), integer(9, 20), integer(4, 8), integer(3, 6), integer(50, 100)];
    const daily = wage * hours;
    const weekly = daily * days;
    return [
      `${name} earns $${wage} an hour and works ${hours} hours a day on ${days} days a week. From the week's pay ${name} puts ` +
        `$${rent} aside. How much is left?`,
      `${name} earns $${wage} * ${hours} = $${daily} a day.\nIn a week that is $${daily} * ${days} = $${weekly}.\n` +
        `After putting $${rent} aside, $${weekly} - $${rent} = $${weekly - rent} is left.\n${last(weekly - rent)}`,
    ];
  },
];

const problems = Array.from({ length: Number(count) }, () => {
  const [query, response] = pick(kinds)();
  return { type: "GSM_invented", query, original_question: query, response };
});
process.stdout.write(`${JSON.stringify(problems, null, 1)}\n`);
