// What the columns of metrics.csv mean (docs/metrics.md).
const glossary = {
  mean_return: 'mean return of the training episodes that ended since the last row; their actions are drawn',
  episodes: 'training episodes that ended since the last row',
  mean_length: 'mean length of these episodes, in steps',
  seconds: 'wall time since the agent began',
  steps_per_second: 'environment steps of the agent in a second of wall time',
  policy_loss: 'what the policy gradient descends: the objective without its entropy and value terms',
  value_loss: 'half the squared error of the value against its target',
  entropy: 'of the action probabilities, in nats: log A is a fair die, 0 has decided',
  approx_kl: 'how far an update moves the policy: estimate of the divergence from the one that acted',
  clip_fraction: 'share of the samples whose probability ratio the update has moved beyond the clip',
  explained_variance: '1: the value foretells the returns; 0: no better than their mean',
  gradient_norm: 'Euclidean norm of the last gradient before it is clipped',
  learning_rate: 'of the optimizer',
};
const isReturn = name => name === 'mean_return';
