import { BEHAVIOURS } from './byzantine.ts';
import { FAULT_NAMES } from './faults.ts';
import { FILE_REQUIRED } from './files/requirements.ts';
import { LIE_NAMES } from './light-lies.ts';
import { FATE_NAMES } from './minority.ts';

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
  'network: delayed and reordered',
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
  'disk: corrupt read of the log',
  'node stops: wal_failed',
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
  'light: caught up',
  ...LOAD.map(kind => `accepted: ${kind}`),
  ...['records under one signature', 'filePurgeAck'].map(kind => `transaction: ${kind}`),
];

/** What an hour of runs must show: each has its share of the seeds, and a small one. */
const RARE: readonly string[] = [
  ...LIE_NAMES,
  ...FATE_NAMES,
  'light: noticed a lie',
  'light: of a revoked member',
  'light: followed changes of the set',
  'light: was removed from a phase',
  'light: holds a phase with a gap',
  ...BEHAVIOURS.map(kind => `byzantine: ${kind}`),
  'collusion: convicted of a fork in one view',
  'collusion: convicted of a fork across views',
  'disk: lost, an empty one put in',
  'disk: lost, an old one put in',
  'transition: votes with a new key after its disk was lost',
  'transition: NEW-VIEW cuts above a hole',
  'refused: bad_message',
  'refused: undecodable',
  'evidence: prePrepare',
  'evidence: prepare',
  'evidence: commit',
  'transaction: evidence',
];

/** Runs after which everything of a list must have happened. */
const COMMON_RUNS = 500;
export const RARE_RUNS = 5000;

/** What of all that must happen has not, and whether so many runs should have shown it. */
export function missingAfter(runs: number, has: (name: string) => boolean) {
  const lacks = (name: string) => !has(name);
  const [common, rare] = [COMMON.filter(lacks), RARE.filter(lacks)];
  return {
    reached: COMMON.length + RARE.length - common.length - rare.length,
    all: COMMON.length + RARE.length,
    overdue: [...(runs >= COMMON_RUNS ? common : []), ...(runs >= RARE_RUNS ? rare : [])],
  };
}
