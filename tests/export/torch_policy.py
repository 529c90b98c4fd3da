import torch
from safetensors import safe_open


class Policy(torch.nn.Module):
    """A cuPG policy: observation [batch, O] -> logits [batch, A], value [batch]."""

    def __init__(self, path):
        super().__init__()
        with safe_open(path, "pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        self.activation = torch.tanh if about["activation"] == "tanh" else torch.relu
        self.shared, self.policy, self.value = (torch.nn.ModuleDict() for _ in range(3))
        for name, weight in tensors.items():
            if name.endswith(".weight"):
                part, layer, _ = name.split(".")  # "shared.hidden1.weight", "value.head.weight"
                outputs, inputs = weight.shape
                getattr(self, part)[layer] = torch.nn.Linear(inputs, outputs, bias=f"{part}.{layer}.bias" in tensors)
        self.load_state_dict(tensors)

    def features(self, part, x):
        number = 1
        while f"hidden{number}" in part:
            x = self.activation(part[f"hidden{number}"](x))
            number += 1
        return x

    def forward(self, observation):
        x = self.features(self.shared, observation)  # the observation itself where policy and value have trunks of their own
        logits = self.policy["head"](self.features(self.policy, x))
        value = self.value["head"](self.features(self.value, x))
        return logits, value.squeeze(-1)
