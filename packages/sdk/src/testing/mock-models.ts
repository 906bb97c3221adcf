/** What the pretended server says of its models. */
import { type Abilities, limitsOf, type ModelList } from '@kinora/protocol'

export function modelList(models: readonly string[], abilities: Readonly<Record<string, Abilities>>): ModelList {
  return {
    models: models.map((model, index) => ({
      model,
      default: index === 0,
      available: true,
      ...(abilities[model] && { abilities: abilities[model] }),
      limits: limitsOf(abilities[model]),
    })),
  }
}
