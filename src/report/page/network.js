// The policy: its numbers, and its forward pass in the order of every engine's sums: from the bias on, inputs in index order, fma by fma.

const policy = data.policy && data.policy.tensors ? data.policy : null;
const parameters = policy && (() => {
  const text = atob(policy.parameters), bytes = Uint8Array.from(text, c => c.charCodeAt(0));
  const view = new DataView(bytes.buffer), floats = new Float32Array(bytes.length / 4);
  for (let i = 0; i < floats.length; ++i) floats[i] = view.getFloat32(4 * i, true);
  return floats;
})();

// y = W x + b; the layers come in the order in which they lie there, W [out][in], then b.
function dense(x, at, outputs, bias) {
  const y = [];
  for (let o = 0; o < outputs; ++o) {
    let sum = bias ? parameters[at + outputs * x.length + o] : 0, weight = at + o * x.length;
    for (const input of x) sum = fma(input, parameters[weight++], sum);
    y.push(sum);
  }
  return y;
}
const denseSize = (inputs, outputs, bias) => outputs * (inputs + (bias ? 1 : 0));

function trunk(shape, observation, at) {
  let x = observation;
  for (const width of shape.width) {
    const inputs = x.length;
    x = dense(x, at, width, shape.bias).map(environment.activate);
    at += denseSize(inputs, width, shape.bias);
  }
  return x;
}

// Where the parts lie: the trunk or trunks, the policy's head, the value's.
const parts = policy && (() => {
  const {length} = environment.observations;
  const size = shape => shape.width.reduce((sum, width, i) => sum + denseSize(i > 0 ? shape.width[i - 1] : length, width, shape.bias), 0);
  const value = policy.shared ? 0 : size(policy.policy), head = size(policy.policy) + (policy.shared ? 0 : size(policy.value));
  return {value, head, valueHead: head + denseSize(policy.policy.width.at(-1) || length, environment.actions.length, policy.policy.bias)};
})();

// What a policy with two actions is drawn from: the one output z_1 - z_0, whose weights are the rows' differences.
function difference(x, at, bias) {
  const row1 = at + x.length, biases = row1 + x.length;
  let sum = bias ? fr(parameters[biases + 1] - parameters[biases]) : 0;
  x.forEach((input, i) => (sum = fma(input, fr(parameters[row1 + i] - parameters[at + i]), sum)));
  return sum;
}

const logitsOf = features => dense(features, parts.head, environment.actions.length, policy.policy.bias);
const probabilities = observation => environment.probabilities(logitsOf(trunk(policy.policy, observation, 0)));

// {logits, value, outputs}: `outputs` is what environment.greedy and environment.drawn take.
function forward(observation) {
  const features = trunk(policy.policy, observation, 0), logits = logitsOf(features);
  const valueFeatures = policy.shared ? features : trunk(policy.value, observation, parts.value);
  return {
    logits, value: dense(valueFeatures, parts.valueHead, 1, policy.value.bias)[0],
    outputs: environment.actions.length === 2 ? [difference(features, parts.head, policy.policy.bias)] : logits,
  };
}

// An episode that has come to a state after these steps: they and all that follow, each with its state, observation, probabilities, value,
// action and the return so far. `number` and `mode` say how actions are drawn.
function play(before, state, total, number, mode) {
  const steps = [...before];
  let draws = null;
  for (let t = steps.length; ; ++t) {
    const observation = environment.observe(state), {logits, value, outputs} = forward(observation);
    if ((t & 3) === 0 || draws === null) draws = environment.random(number, t >>> 2);
    const action = mode === 'greedy' ? environment.greedy(outputs) : environment.drawn(outputs, draws[t & 3]);
    const now = {state, observation, probabilities: environment.probabilities(logits), value, action, total, ended: ''};
    steps.push(now);
    if (t === environment.max_episode_steps) {
      now.ended = 'the time is over';
      return steps;
    }
    const next = environment.step(state, action);
    total = fr(total + next.reward);
    state = next.state;
    if (next.terminated) {
      const last = environment.observe(state), after = forward(last);
      steps.push({state, observation: last, probabilities: environment.probabilities(after.logits), value: after.value, action: null, total,
        ended: 'the episode has ended'});
      return steps;
    }
  }
}
const episode = (number, mode) => play([], environment.reset(number), 0, number, mode);
