import type { Stream } from '@libp2p/interface';

/** `StreamState.Established` of the muxer: flags of the opening have been sent and received. */
const ESTABLISHED = 3;

/** What the muxer's stream has and its interface does not show. */
interface YamuxStream {
  readonly state: number;
  /** Bytes that the peer may send in a full window, and those of them that are left. */
  readonly recvWindow: number;
  readonly recvWindowCapacity: number;
  sendWindowUpdate(): void;
}

function isYamux(stream: object): stream is YamuxStream {
  return 'sendWindowUpdate' in stream && 'recvWindow' in stream && 'recvWindowCapacity' in stream;
}

/**
 * The muxer answers every data frame with a window update: an encrypted frame of its own, sent and read by a call to the
 * system each. Half a window is early enough (the rule of the reference implementation), so the others are left out.
 */
export function spareWindowUpdates(stream: Stream): void {
  if (!isYamux(stream)) return;
  const update = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    if (stream.state === ESTABLISHED && stream.recvWindowCapacity * 2 > stream.recvWindow) return;
    update();
  };
}
