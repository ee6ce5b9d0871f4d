"""Real inference without weights: llama.cpp's own server over small random models.

A model is a one-block Llama with random weights and a vocabulary of the 256 bytes, so a kana is
three tokens. Left alone it writes noise; the grammars here make it write kana or a verdict, and
end by itself. Another seed is another model: the same prompt gives another text.

`python -m tests.support.llama MODEL PORT ALIAS...` serves one model until its stdin is closed,
and prints the base URL once requests are answered. Port 0 is any free one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from tests.support.needs import skip_or_fail

ROOT = Path(__file__).resolve().parents[2]

#: Tokens of prompt and reply together that one request may hold.
CONTEXT = 8192
#: Requests a server works on at once; more than that wait inside it.
SLOTS = 4

#: One or two kana sentences; at most 102 tokens.
ANSWER_GRAMMAR = 'root ::= ([ぁ-ん]{4,16} "。"){1,2}'
#: A short explanation, then a marker of any scale, `[[1]]` to `[[5]]`; at most 60 tokens.
VERDICT_GRAMMAR = 'root ::= [ぁ-ん]{4,16} "。\\n" "[[" [1-5] "]]"'

_WIDTH, _HEADS, _FEED_FORWARD = 32, 2, 64
_SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)


def write_model(path: Path, seed: int, chat_template: str = _CHAT_TEMPLATE) -> Path:
    """Write a random model as GGUF (some 100 KB) and return its path."""
    writer = gguf.GGUFWriter(path, "llama")
    _write_shape(writer)
    tokens = _write_vocabulary(writer)
    writer.add_chat_template(chat_template)
    for name, tensor in _tensors(np.random.default_rng(seed), len(tokens)):
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)


def _write_vocabulary(writer: gguf.GGUFWriter) -> list[str]:
    tokens = [*_SPECIAL, *_byte_letters(), "th"]
    kinds = [gguf.TokenType.CONTROL] * len(_SPECIAL)
    kinds += [gguf.TokenType.NORMAL] * (len(tokens) - len(_SPECIAL))
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["t h"])  # a byte-pair vocabulary without a merge is refused
    writer.add_bos_token_id(_SPECIAL.index("<s>"))
    writer.add_eos_token_id(_SPECIAL.index("<|im_end|>"))
    return tokens


def _byte_letters() -> list[str]:
    """Return the letter by which GPT-2's vocabulary writes each of the 256 bytes."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    substitutes = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(substitutes)) for byte in range(256)]


def _tensors(
    rng: np.random.Generator, vocabulary: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    square, up, down = (_WIDTH, _WIDTH), (_FEED_FORWARD, _WIDTH), (_WIDTH, _FEED_FORWARD)
    shapes = {
        "token_embd": (vocabulary, _WIDTH),
        "output": (vocabulary, _WIDTH),
        **{f"blk.0.attn_{part}": square for part in ("q", "k", "v", "output")},
        "blk.0.ffn_gate": up,
        "blk.0.ffn_up": up,
        "blk.0.ffn_down": down,
    }
    for name, shape in shapes.items():
        # Strong attention: with a weak one every prompt gets nearly the same reply.
        scale = 1.0 if "attn" in name else 0.3
        yield name, (scale * rng.standard_normal(shape)).astype(np.float32)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        yield name, np.ones(_WIDTH, np.float32)


@contextmanager
def llama_server(model: Path, *aliases: str) -> Iterator[str]:
    """Serve a model in its own process and yield the base URL, which ends in `/v1`.

    Skips the test, or fails it in CI, where llama.cpp does not start.
    """
    command = [sys.executable, "-m", "tests.support.llama", str(model), "0", *aliases]
    log = model.with_suffix(".log")
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            yield _first_line(process, log)
        finally:
            process.terminate()


def _first_line(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        skip_or_fail(f"llama.cpp does not start: {''.join(last)}")
    return line


@contextmanager
def llama_pool(folder: Path, *names: str) -> Iterator[dict[str, str]]:
    """Make and serve one model for each name; yield name -> base URL."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                llama_server(write_model(folder / f"{name}.gguf", seed), name)
            )
            for seed, name in enumerate(names)
        }


def main(model: str, port: str, *aliases: str) -> None:
    """Serve one model until stdin is closed, as it is when the parent dies."""
    import xllamacpp  # so that a machine without it skips

    ready = os.dup(1)
    os.dup2(2, 1)  # llama.cpp logs to stdout as well
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = set(aliases)
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.n_parallel = SLOTS
    params.n_ctx = CONTEXT * SLOTS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup = params.fit_params = params.ui = False
    server = xllamacpp.Server(params)
    os.write(ready, f"{server.listening_address}/v1\n".encode())
    os.close(ready)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
