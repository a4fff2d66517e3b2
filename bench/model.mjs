// What consortia larger than this machine would carry: a simulation of real PBFT engines whose processor, disk and network time is
// priced by measurements of this machine, and checked against real networks on it. Needs a build.
//   node bench/model.mjs --measure --prices FILE            measures the prices (a minute and a half; nothing else should run)
//   node bench/model.mjs --prices FILE                      predicts
//   node bench/model.mjs --prices FILE --validate RESULT…   compares with results of `phaseline bench consensus --json RESULT`
// docs/performance.md says what the model leaves out.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measurePrices } from './model/measure/measure.mjs';
import { NETWORKS, predict, SIZES } from './model/predict.mjs';
import { PriceError, pricesOf } from './model/prices.mjs';
import { loadCore } from './model/program.mjs';
import { predictionTable, priceTable, validationTable } from './model/report.mjs';
import { predictionSvg } from './model/svg.mjs';
import { ResultError, validate } from './model/validate.mjs';

const USAGE = `Usage: node bench/model.mjs --prices FILE [options] [RESULT...]
  --measure               measure the prices of this machine and write them to FILE
  --validate              compare with RESULT..., files of phaseline bench consensus --json
  --nodes 4,7,...         sizes to predict (default ${SIZES.join(',')})
  --network LAN,WAN       networks to predict
  --signatures KIND       each (default) or batch: one signature for up to 64 transactions of a member
  --cores N               of each node's machine (default 2)
  --seed N                of the jitter (default 1): one seed and one file of prices give one output
  --svg FILE              draw predicted throughput over the number of nodes
  --json FILE             write what is printed for programs`;

class UsageError extends Error {}

const say = text => process.stderr.write(`${text}\n`);
const dist = new URL('../dist/', import.meta.url);

function whole(name, text, least, most) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${name} ${text}: a whole number from ${least} to ${most} is wanted`);
}

function readOptions(words) {
  const text = value => ({ type: 'string', ...(value === undefined ? {} : { default: value }) });
  let parsed;
  try {
    parsed = parseArgs({
      ...{ args: words, allowPositionals: true },
      options: {
        ...{ measure: { type: 'boolean' }, validate: { type: 'boolean' }, help: { type: 'boolean' } },
        ...{ prices: text(), nodes: text(SIZES.join(',')), network: text(Object.keys(NETWORKS).join(',')) },
        ...{ signatures: text('each'), cores: text('2'), seed: text('1'), json: text(), svg: text() },
      },
    });
  } catch (error) {
    throw new UsageError(error.message);
  }
  const { values, positionals } = parsed;
  if (values.help) return { help: true };
  if (values.prices === undefined) throw new UsageError('--prices FILE is missing: --measure writes it');
  const networks = values.network.split(',');
  const unknown = networks.find(name => NETWORKS[name] === undefined);
  if (unknown !== undefined) throw new UsageError(`--network ${unknown}: LAN or WAN is wanted`);
  if (!['each', 'batch'].includes(values.signatures))
    throw new UsageError(`--signatures ${values.signatures}: each or batch is wanted`);
  if (positionals.length > 0 && !values.validate)
    throw new UsageError(`${positionals[0]}: results are for --validate`);
  if (values.validate && positionals.length === 0) throw new UsageError('--validate: which RESULT?');
  return {
    ...values,
    ...{ networks, results: positionals, sizes: values.nodes.split(',').map(n => whole('nodes', n, 1, 128)) },
    ...{ cores: whole('cores', values.cores, 1, 1024), seed: whole('seed', values.seed, 0, 2 ** 31) },
  };
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${error.message}`);
  }
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(USAGE);
  if (options.measure) {
    const file = await measurePrices({ dist, say });
    writeFileSync(options.prices, `${JSON.stringify(file, null, 2)}\n`);
    say(`wrote ${options.prices}`);
    return console.log(priceTable(file));
  }
  const file = readJson(options.prices);
  const prices = pricesOf(file);
  const core = await loadCore(dist);
  if (options.validate) {
    const { processors } = file.environment;
    const validations = options.results.map(path =>
      validate(core, prices, { result: readJson(path), path, processors }),
    );
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(validations, null, 2)}\n`);
    return console.log(validationTable(validations));
  }
  const { signatures, cores, seed } = options;
  const result = {
    ...{ kind: 'model', version: 1, environment: file.environment, networks: NETWORKS },
    ...{ signatures, cores, seed, predictions: predict(core, prices, options, say) },
  };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  if (options.svg !== undefined) writeFileSync(options.svg, predictionSvg(result));
  return console.log(predictionTable(result));
}

try {
  await main();
} catch (error) {
  const known = [UsageError, PriceError, ResultError].some(kind => error instanceof kind);
  say(known ? `${error.message}\nSee: node bench/model.mjs --help` : error.stack);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
