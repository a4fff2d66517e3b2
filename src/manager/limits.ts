/** Every limit of the management server, with its unit. */
export const MANAGER_LIMITS = {
  /** Challenges that wait for their answer; past it the oldest is forgotten. */
  challengesMax: 1_024,
  challengeMs: 600_000,
  /** How far the time of a signed request may be from the server's. */
  requestWindowMs: 60_000,
  /** Nonces remembered of one member within the window; its next request is refused. */
  requestNoncesPerMember: 4_096,
  requestParamsCharactersMax: 1_048_576,
  requestJsonDepthMax: 64,
  overviewProjectsMax: 200,
} as const;
