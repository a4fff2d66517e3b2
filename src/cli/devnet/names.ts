/** The nodes of a devnet beside the consensus nodes, which are node-1, node-2, … */
export const MEMBER_NAMES = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi'] as const;
export const MANAGER_NAME = 'manager';
