"""Train a small BERT on SST-2 (GLUE) with the Trainer of Hugging Face.

    python examples/hf_trainer.py

A tokenizer is trained on the sentences, `map` tokenizes them, and `Trainer` gets the rows from
`to("hf")`. Downloads the dataset, but no weights. Two epochs take about two minutes on two CPU
cores. Prints the accuracy on the validation split.
"""

from tempfile import TemporaryDirectory
from typing import Any

from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    DataCollatorWithPadding,
    EvalPrediction,
    Trainer,
    TrainingArguments,
    set_seed,
)

from dshub import Dataset, load


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    """Return the fraction of correct predictions."""
    return {"accuracy": (prediction.predictions.argmax(1) == prediction.label_ids).mean()}


def main() -> None:
    """Train the model and print its validation accuracy."""
    set_seed(0)
    train, validation = load("glue/sst2", split=["train", "validation"])
    print(train)
    tokenizer = BertTokenizerFast().train_new_from_iterator(train["sentence"], vocab_size=8000)

    def tokenize(batch: dict[str, Any]) -> Any:
        return tokenizer(batch["sentence"], truncation=True, max_length=64)

    def rows(dataset: Dataset) -> Any:
        return dataset.map(tokenize, batched=True, columns=["sentence"]).to("hf")

    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=64,
        num_labels=2,
    )
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=2,
            per_device_train_batch_size=64,
            per_device_eval_batch_size=256,
            learning_rate=5e-4,
            save_strategy="no",
            report_to="none",
        )
        trainer = Trainer(
            BertForSequenceClassification(config),
            arguments,
            train_dataset=rows(train),
            eval_dataset=rows(validation),
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=accuracy,
        )
        trainer.train()
    print(f"result: validation accuracy {100 * trainer.evaluate()['eval_accuracy']:.1f} %")


if __name__ == "__main__":
    main()
