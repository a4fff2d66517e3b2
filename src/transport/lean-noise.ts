import { noise } from '@chainsafe/libp2p-noise';
import type { MessageStream, SecuredConnection } from '@libp2p/interface';
import type { Uint8ArrayList } from 'uint8arraylist';

/** What libp2p's TCP connection has and its interface does not show. */
interface TcpConnection {
  readonly socket: { cork(): void; uncork(): void };
  sendData(data: unknown): unknown;
}

/** The same of a connection that Noise encrypts. */
interface NoiseConnection {
  readonly handshake: { decrypt(message: Uint8ArrayList): Uint8Array | Uint8ArrayList };
  decrypt(message: Uint8ArrayList): Uint8Array | Uint8ArrayList;
}

/** From here on Noise takes Node's cipher, which never writes into the copy. */
const NATIVE_BYTES_MIN = 1_200;
const MESSAGE_BYTES_MAX = 65_535;

function isTcp(connection: object): connection is TcpConnection {
  return 'socket' in connection && 'sendData' in connection;
}

function isNoise(connection: object): connection is NoiseConnection {
  return 'handshake' in connection && 'decrypt' in connection;
}

/**
 * Each encrypted message reaches the socket in pieces (its length, its ciphertext as it was cut, its tag), and each piece is a
 * call to the system, a packet and a read at the other side. What is sent together leaves together.
 */
export function joinWrites(connection: MessageStream): void {
  if (!isTcp(connection)) return;
  const { socket } = connection;
  const send = connection.sendData.bind(connection);
  connection.sendData = data => {
    socket.cork();
    try {
      return send(data);
    } finally {
      socket.uncork();
    }
  };
}

/** Noise copies each message into one piece to decrypt it there, which only its cipher for short messages does. */
export function spareCopies(connection: MessageStream): void {
  if (!isNoise(connection)) return;
  const { handshake } = connection;
  const decrypt = connection.decrypt.bind(connection);
  connection.decrypt = message => {
    const { byteLength } = message;
    const native = byteLength >= NATIVE_BYTES_MIN && byteLength <= MESSAGE_BYTES_MAX;
    return native ? handshake.decrypt(message) : decrypt(message);
  };
}

/** Noise over TCP, with fewer calls to the system and fewer copies; the bytes on the wire are the same. */
export function leanNoise(): ReturnType<typeof noise> {
  const create = noise();
  return components => {
    const encrypter = create(components);
    const secureInbound = encrypter.secureInbound.bind(encrypter);
    const secureOutbound = encrypter.secureOutbound.bind(encrypter);
    const lean = <Extension>(secured: SecuredConnection<Extension>) => {
      spareCopies(secured.connection);
      return secured;
    };
    encrypter.secureInbound = async (connection, options) => {
      joinWrites(connection);
      return lean(await secureInbound(connection, options));
    };
    encrypter.secureOutbound = async (connection, options) => {
      joinWrites(connection);
      return lean(await secureOutbound(connection, options));
    };
    return encrypter;
  };
}
