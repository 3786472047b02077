"""A real llama.cpp server with a tiny random model, in a process of its own.

Run as `python llama_server.py MODEL CONTEXT SLOTS [KEY]`; the first line it prints is its address.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

SIZE, HEADS, LAYERS, WIDE = 64, 4, 2, 128


def write_model(path: Path, context: int = 32768) -> None:
    """A llama of random weights whose tokens are the 256 bytes: any text can be read and written."""
    import gguf
    import numpy as np

    rng = np.random.default_rng(7)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256))]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny-random")
    writer.add_context_length(context)
    writer.add_embedding_length(SIZE)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(SIZE // HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    kinds = gguf.TokenType
    writer.add_token_types([kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL, *[kinds.BYTE] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(
        "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    )

    def add(name: str, *shape: int) -> None:
        scale = 1.0 if len(shape) == 1 else 0.2
        values = np.ones(shape) if len(shape) == 1 else rng.normal(0, scale, shape)
        writer.add_tensor(name, values.astype(np.float32))

    add("token_embd.weight", len(tokens), SIZE)
    add("output_norm.weight", SIZE)
    add("output.weight", len(tokens), SIZE)
    for n in range(LAYERS):
        add(f"blk.{n}.attn_norm.weight", SIZE)
        add(f"blk.{n}.ffn_norm.weight", SIZE)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{n}.{part}.weight", SIZE, SIZE)
        add(f"blk.{n}.ffn_gate.weight", WIDE, SIZE)
        add(f"blk.{n}.ffn_up.weight", WIDE, SIZE)
        add(f"blk.{n}.ffn_down.weight", SIZE, WIDE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(model: str, context: int, slots: int, key: str = "") -> None:
    """Serves until the process is told to stop."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = context
    params.n_parallel = slots
    params.cpuparams.n_threads = 1
    params.port = 0
    params.warmup = False
    if key:
        params.api_keys = [key]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
