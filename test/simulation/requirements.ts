import { BEHAVIOURS } from './byzantine.ts';
import { SIGNED_LIE_NAMES } from './byzantine-lies.ts';
import { SIZES_IN_TURN } from './draw.ts';
import { FAULT_NAMES } from './faults.ts';
import { FILE_REQUIRED } from './files/requirements.ts';
import { GOVERNANCE_NAMES, sizeName } from './governors.ts';
import { LIE_NAMES } from './light-lies.ts';
import { FATE_NAMES } from './minority.ts';
import { ENGINE_NAMES, HALT_NAME } from './transitions.ts';

/** What clients ask of the ledger, each of which it must accept at times; `checker-flow.ts` follows what comes of it. */
const LOAD: readonly string[] = [
  ...['memberUserAdd', 'memberUserRevoke', 'memberSuspend', 'signed by a user'],
  ...['epochComplaint', 'recoveryShares', 'recoveryAsk', 'recoveryOffer'],
  ...['memberRegister', 'memberRotate', 'memberRevoke', 'projectCreate', 'projectArchive', 'projectCard'],
  ...['phaseAdd', 'phaseOpen', 'phaseClose', 'phaseReopen', 'phaseSkip', 'phaseArchive', 'phaseCard'],
  ...['flowChange', 'phasePolicy', 'phaseHandover', 'approvalRequest', 'approvalVote', 'approvalWithdraw'],
  ...['participantAdd', 'participantRemove', 'participantRole', 'epochRotate'],
  ...['recordPut', 'fileReceipt', 'filePurge', 'proposalCreate', 'proposalVote', 'proposalWithdraw'],
];

/** What many runs must show at least once; what they never show is named and fails them. */
const COMMON: readonly string[] = [
  ...['prePrepare', 'prepare', 'commit', 'checkpoint', 'viewChange', 'newView', 'status', 'complaint'].map(
    kind => `sent: ${kind}`,
  ),
  ...FAULT_NAMES,
  ...FILE_REQUIRED,
  'network: lost',
  'network: duplicated',
  'network: delayed',
  'network: reordered',
  'network: lost in a partition',
  'network: replayed',
  'disk: unsynced write lost',
  'disk: unsynced write torn',
  'disk: zeros after a torn write',
  'disk: rename lost in a crash',
  'disk: crash in a batch, kept',
  'disk: crash in a batch, lost',
  'disk: slow flush',
  'disk: flush failed',
  'disk: full',
  'disk: corrupt read',
  'disk: misdirected read',
  'disk: wrong read of a range',
  'disk: corrupt read of the log',
  'disk: misdirected read of the log',
  'disk: power lost in a flush',
  'node stops: wal_failed',
  'node stops: write_failed',
  'node stops: corrupt',
  'node stops: wal_corrupt',
  'client refused: bad_signature',
  'transaction: expired',
  'transition: view change started',
  'transition: view opened',
  'transition: new validator set',
  'transition: NEW-VIEW proposes again',
  'transition: NEW-VIEW with an empty window',
  'transition: state from a snapshot',
  ...ENGINE_NAMES,
  ...GOVERNANCE_NAMES,
  'light: caught up',
  ...LOAD.map(kind => `accepted: ${kind}`),
  ...['records under one signature', 'filePurgeAck'].map(kind => `transaction: ${kind}`),
];

/** What an hour of runs must show: each has its share of the seeds, and a small one. */
const RARE: readonly string[] = [
  ...LIE_NAMES,
  ...SIGNED_LIE_NAMES,
  ...FATE_NAMES,
  'light: noticed a lie',
  'light: of a revoked member',
  'light: followed changes of the set',
  'light: was removed from a phase',
  'light: holds a phase with a gap',
  'light: stops: corrupt',
  'light: stops: write_failed',
  ...BEHAVIOURS.map(kind => `byzantine: ${kind}`),
  'byzantine: f colluders',
  'byzantine: hoarder',
  ...SIZES_IN_TURN.map(sizeName),
  'collusion: convicted of a fork in one view',
  'collusion: convicted of a fork across views',
  'disk: lost, an empty one put in',
  'disk: lost, an old one put in',
  'transition: votes with a new key after its disk was lost',
  'transition: NEW-VIEW cuts above a hole',
  'transition: NEW-VIEW cuts at a parent',
  'transition: NEW-VIEW chooses between two',
  'refused: bad_message',
  'refused: undecodable',
  'evidence: prePrepare',
  'evidence: prepare',
  'evidence: commit',
  'evidence: checkpoint',
  'evidence: viewChange',
  'evidence: newView',
  'node stops: signing_state_lost',
  'disk: rot in block',
  'disk: rot in tx',
  'disk: rot in leaf',
  'disk: rot in hashes',
  'disk: rot written over',
  'transition: state built anew',
  'transaction: evidence',
];

/** What an hour may not show: its name is printed all the same. */
const SELDOM: readonly string[] = [HALT_NAME, 'fault: processor overloaded'];

/** Runs after which everything of a list must have happened. */
export const COMMON_RUNS = 500;
export const RARE_RUNS = 5000;

/** What of all that may happen has not, and whether so many runs should have shown it. */
export function missingAfter(runs: number, has: (name: string) => boolean) {
  const lacks = (name: string) => !has(name);
  const [common, rare] = [COMMON.filter(lacks), RARE.filter(lacks)];
  return {
    reached: COMMON.length + RARE.length - common.length - rare.length,
    all: COMMON.length + RARE.length,
    missing: [...common, ...rare, ...SELDOM.filter(lacks)],
    overdue: [...(runs >= COMMON_RUNS ? common : []), ...(runs >= RARE_RUNS ? rare : [])],
  };
}
