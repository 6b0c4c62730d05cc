"""Each importer on a clone in miniature, and on one that is damaged."""

import json
import zipfile

import pytest

from evals.importers import (
    grade_school_math,
    llmrouter,
    logical_puzzles,
    mmlu_pro,
    reasoning_gym,
    routellm,
    zeroeval,
)
from evals.importers.outcomes import OutcomeError

WEAK, STRONG = "mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"
MIXTRAL = "mistralai/Mixtral-8x7B-Instruct-v0.1"


# --- RouteLLM


@pytest.fixture
def routellm_clone(put, tmp_path):
    base = "routellm/evals"
    ask = "Which metal floats?\nA. iron\nB. lithium\nAnswer:"
    put(f"{base}/mmlu/responses/mmlu_anatomy.csv", [{"prompt": ask, MIXTRAL: "False", STRONG: "True"}])
    put(
        f"{base}/mmlu/responses/mmlu_virology.csv",
        [
            {"prompt": ask.lower(), MIXTRAL: "True", STRONG: "True"},
            {"prompt": "Other?", MIXTRAL: "True", STRONG: "False"},
        ],
    )
    put(f"{base}/mmlu/contaminated_prompts.jsonl", [{"eval_prompt": "Other?"}])
    put(f"{base}/gsm8k/test.jsonl", [{"question": "q", "answer": "2 and 3 make\n#### 5"}])
    put(f"{base}/gsm8k/contaminated_prompts.jsonl", [{"eval_prompt": "none"}])
    answers = {f"{MIXTRAL}_response": "it is five", f"{STRONG}_response": "5"}
    put(f"{base}/gsm8k/gsm8k_responses.csv", [{"prompt": "2 + 3?", MIXTRAL: "True", STRONG: "True"} | answers])
    put(f"{base}/mt_bench/contaminated_prompts.jsonl", [{"eval_prompt": "second"}])
    put(f"{base}/mt_bench/question.jsonl", [{"question_id": 81, "category": "writing", "turns": ["first", "second"]}])
    marks = [(STRONG, 10), (STRONG, 9), (MIXTRAL, 8), (MIXTRAL, 7)]
    put(f"{base}/mt_bench/judgements.jsonl", [{"question_id": 81, "model": m, "score": s} for m, s in marks])
    return tmp_path


def test_routellm_gives_its_three_benchmarks_without_a_split(routellm_clone, words):
    rows = {item.id: item for item in routellm.read(routellm_clone, words)}
    assert list(rows) == [
        "routellm/mmlu/anatomy/0",
        "routellm/mmlu/virology/1",
        "routellm/gsm8k/0",
        "routellm/mt-bench/81",
    ]
    assert rows["routellm/mmlu/anatomy/0"].scores == {WEAK: 0.0, STRONG: 1.0}
    assert rows["routellm/mmlu/virology/1"].meta == {"subset": "virology", "contaminated": True}
    sums = rows["routellm/gsm8k/0"]
    assert (sums.reference, sums.output_tokens) == ("5", {WEAK: 3, STRONG: 1})
    talk = rows["routellm/mt-bench/81"]
    assert talk.prompt == "first"
    assert talk.scores == pytest.approx({STRONG: 0.95, WEAK: 0.75})
    assert talk.meta["contaminated"] is True
    assert {item.split for item in rows.values()} == {""}


def test_routellm_names_a_mark_that_is_none(routellm_clone, put, words):
    put("routellm/evals/mt_bench/judgements.jsonl", [{"question_id": 81, "model": STRONG, "score": -1}])
    with pytest.raises(OutcomeError, match=r"judgements\.jsonl:1: 'score' must be a number from 0 to 10"):
        list(routellm.read(routellm_clone, words))


def test_routellm_refuses_more_sums_than_answers(routellm_clone, put, words):
    put("routellm/evals/gsm8k/test.jsonl", [{"answer": "no final line"}])
    with pytest.raises(OutcomeError, match=r"test\.jsonl:1: 'answer' has no final line after ####"):
        list(routellm.read(routellm_clone, words))


def test_another_repository_is_recognised(tmp_path, words):
    (tmp_path / "routellm/evals/mmlu").mkdir(parents=True)
    (tmp_path / "routellm/evals/mmlu/contaminated_prompts.jsonl").write_text("")
    with pytest.raises(OutcomeError, match=r"no mmlu_\*\.csv; is this a clone of lm-sys/RouteLLM"):
        list(routellm.read(tmp_path, words))


# --- grade-school-math


def solved(**changed):
    answers = {
        field: {"is_correct": field.startswith("175"), "solution": "some words here"}
        for field in grade_school_math.MODELS
    }
    return {"question": "How many?", "ground_truth": "two plus two\nA: 4"} | answers | changed


def test_grade_school_math_gives_four_models(put, tmp_path, words):
    put(grade_school_math.SOLUTIONS, [solved()])
    [item] = grade_school_math.read(tmp_path, words)
    assert item.reference == "4"
    assert item.scores == {
        "gpt3-6b-finetuning": 0.0, "gpt3-6b-verification": 0.0, "gpt3-175b-finetuning": 1.0, "gpt3-175b-verification": 1.0,
    }  # fmt: skip
    assert set(item.output_tokens.values()) == {3}


def test_grade_school_math_names_the_line_without_a_model(put, tmp_path, words):
    put(grade_school_math.SOLUTIONS, [solved(), solved(**{"6b_finetuning": None})])
    with pytest.raises(OutcomeError, match=r"jsonl:2: '6b_finetuning': expected an object, found nothing"):
        list(grade_school_math.read(tmp_path, words))


# --- MMLU-Pro


def zipped(folder, model, entries):
    path = folder / mmlu_pro.RESULTS / f"model_outputs_{model}_5shots.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("outputs.json", json.dumps(entries))


def asked(number, pred, **changed):
    item = {
        "question_id": number, "question": f" Question {number}? ", "options": ["yes", "no"], "answer": "B",
        "category": "law", "pred": pred, "generated_text": "one two\n\nQuestion: another one",
    }  # fmt: skip
    return item | changed


def test_mmlu_pro_joins_the_models_by_question(tmp_path, words):
    zipped(tmp_path, "Llama-2-7b-hf", [asked(7, "A"), asked(3, "B")])
    zipped(tmp_path, "Llama-2-70b-hf", [asked(7, "C", answer="C"), "a request that failed"])
    three, seven = mmlu_pro.read(tmp_path, words)
    assert (three.id, seven.id) == ("mmlu-pro/3", "mmlu-pro/7")
    assert seven.prompt == "Question 7?\nA. yes\nB. no"
    assert seven.scores == {"llama-2-7b": 0.0, "llama-2-70b": 1.0}
    assert three.scores == {"llama-2-7b": 1.0}
    assert seven.output_tokens == {"llama-2-7b": 2, "llama-2-70b": 2}


def test_mmlu_pro_names_a_file_that_is_no_zip(put, tmp_path, words):
    put(f"{mmlu_pro.RESULTS}/model_outputs_Llama-2-7b-hf_5shots.zip", "version https://git-lfs")
    with pytest.raises(OutcomeError, match=r"Llama-2-7b-hf.*Git LFS pointer"):
        list(mmlu_pro.read(tmp_path, words))


def test_mmlu_pro_names_an_entry_without_a_number(tmp_path, words):
    zipped(tmp_path, "Llama-2-7b-hf", [asked(1, "A"), asked("two", "A")])
    with pytest.raises(OutcomeError, match="entry 1: 'question_id' must be a number"):
        list(mmlu_pro.read(tmp_path, words))


# --- LLMRouter


def test_llmrouter_joins_task_and_reference(put, tmp_path, words):
    for part in llmrouter.PARTS:
        put(llmrouter.QUERIES.format(part=part), [{"query": "one", "task_name": "math", "ground_truth": "1"}])
    put(llmrouter.SCORES.format(part="train"), [{"question": "one", "scores": {"m": 1.0, "n": 0}}])
    put(
        llmrouter.SCORES.format(part="test"),
        [{"question": "ONE", "scores": {"m": 0.0}}, {"question": "new", "scores": {"m": 0.5}}],
    )
    first, second = llmrouter.read(tmp_path, words)
    assert (first.id, first.task, first.reference, first.scores) == (
        "llmrouter/train/0",
        "math",
        "1",
        {"m": 1.0, "n": 0.0},
    )
    assert (second.id, second.task, second.reference) == ("llmrouter/test/1", "", None)


def test_llmrouter_passes_over_what_asks_to_stay_out_of_training(put, tmp_path, words):
    for part in llmrouter.PARTS:
        put(llmrouter.QUERIES.format(part=part), [{"query": "one", "task_name": "gpqa", "ground_truth": "1"}])
        put(llmrouter.SCORES.format(part=part), [{"question": "one", "scores": {"m": 1.0}}])
    assert list(llmrouter.read(tmp_path, words)) == []


def test_llmrouter_names_a_score_out_of_range(put, tmp_path, words):
    for part in llmrouter.PARTS:
        put(llmrouter.QUERIES.format(part=part), [{"query": "one", "task_name": "math", "ground_truth": "1"}])
        put(llmrouter.SCORES.format(part=part), [{"question": "one", "scores": {"m": 1.5}}])
    with pytest.raises(OutcomeError, match=r"train\.json: entry 0: the score of 'm' is not a number from 0 to 1"):
        list(llmrouter.read(tmp_path, words))


# --- reasoning-gym

RUNS = list(reasoning_gym.MODELS)


def gym(put, run, questions):
    results = [
        {"question": q, "expected_answer": 4, "mean_score": s, "completions": [{"full_model_response": "12345678"}, {}]}
        for q, s in questions
    ]
    put(f"{reasoning_gym.RUNS}/{run}/algebra/sums.json", {"name": "sums", "category": "algebra", "results": results})


def test_reasoning_gym_keeps_what_more_than_half_of_the_models_saw(put, tmp_path, words):
    gym(put, RUNS[0], [("both", 1.0), ("one", 1.0)])
    gym(put, RUNS[1], [("both", 1 / 3)])
    [item] = reasoning_gym.read(tmp_path, words)
    assert item.id == f"reasoning-gym/easy/sums/{item.prompt_hash[:8]}"
    assert item.scores == {reasoning_gym.MODELS[RUNS[0]]: 1.0, reasoning_gym.MODELS[RUNS[1]]: 0.3333}
    assert item.reference == "4"
    assert set(item.output_tokens.values()) == {2}


def test_reasoning_gym_refuses_a_score_that_is_not_a_number(put, tmp_path, words):
    gym(put, RUNS[0], [("both", float("nan"))])
    with pytest.raises(OutcomeError, match=r"sums\.json: result 0: 'mean_score' must be a number from 0 to 1"):
        list(reasoning_gym.read(tmp_path, words))


def test_reasoning_gym_never_opens_the_hard_runs(put, tmp_path, words):
    gym(put, RUNS[0], [("easy", 1.0)])
    put(f"{reasoning_gym.RUNS.replace('easy', 'hard')}/{RUNS[0]}/algebra/sums.json", "not JSON at all")
    assert [item.prompt for item in reasoning_gym.read(tmp_path, words)] == ["easy"]


# --- logical-puzzles


def puzzles(put, folder, subset, stated, matches, text="다섯 글자"):
    answers = [
        {"id": f"p{k}", "question": f"퍼즐 {k}", "answer": "3", "thinking_content": "", "resps": text,
         "filtered_resps": "3", "exact_match": match, "difficulty": "easy"}
        for k, match in enumerate(matches)
    ]  # fmt: skip
    put(f"results/{folder}/{subset}/{folder}_{subset}__{stated}.csv", answers)


THREE = ["EXAONE-3.5-7.8B-Instruct", "Meta-Llama-3.1-8B-Instruct", "openai_gpt-5.5"]


def test_logical_puzzles_reads_language_and_kind_from_the_folder(put, tmp_path, words):
    for folder in THREE:
        puzzles(put, folder, "causal_dag_ko_easy", "1.00", [1.0])
    [item] = logical_puzzles.read(tmp_path, words)
    assert (item.task, item.language, item.meta["difficulty"]) == ("causal_dag", "ko", "easy")
    assert item.id == f"haerae-logic/p0/{item.prompt_hash[:6]}"
    assert item.scores == dict.fromkeys(["exaone-3.5-7.8b-instruct", "llama-3.1-8b-instruct", "gpt-5.5"], 1.0)
    assert set(item.output_tokens.values()) == {round(len("다섯 글자".encode()) / 4)}


def test_a_file_that_is_not_what_its_name_says_is_left_out(put, tmp_path, words):
    for folder in THREE:
        puzzles(put, folder, "hanoi_en_easy", "0.50", [1.0, 0.0])
    puzzles(put, "Llama-4-Maverick-17B-128E", "hanoi_en_easy", "0.90", [1.0, 0.0])
    assert all("llama-4-maverick" not in item.scores for item in logical_puzzles.read(tmp_path, words))


def test_a_puzzle_that_two_models_answered_is_too_little(put, tmp_path, words):
    for folder in THREE[:2]:
        puzzles(put, folder, "hanoi_en_easy", "0.00", [0.0])
    assert list(logical_puzzles.read(tmp_path, words)) == []


def test_a_folder_that_names_no_subset_is_refused(put, tmp_path, words):
    puzzles(put, THREE[0], "hanoi", "0.00", [0.0])
    with pytest.raises(OutcomeError, match="hanoi: not the name of a kind, language and difficulty"):
        list(logical_puzzles.read(tmp_path, words))


def test_a_file_name_without_a_share_is_refused(put, tmp_path, words):
    puzzles(put, THREE[0], "hanoi_en_easy", "latest", [0.0])
    with pytest.raises(OutcomeError, match="does not end in the share of right answers"):
        list(logical_puzzles.read(tmp_path, words))


# --- ZeroEval


def said(answer):
    return f'```json\n{{"reasoning": "because {{it}} is",\n "answer": {json.dumps(answer)}}}\n```'


@pytest.fixture
def zero(put):
    def write(outputs, file="gemma-2-2b-it"):
        for task in zeroeval.TASKS:
            entries = [
                {"id": k, task.question: f"{task.name} {k}", "answer": a, "output": [o]}
                for k, (o, a) in enumerate(outputs)
            ]
            put(f"{zeroeval.RESULTS}/{task.folder}/{file}.json", entries)

    return write


def test_zeroeval_scores_three_tasks(zero, tmp_path, words):
    zero([(said("18"), "18"), (said("17"), "18")])
    rows = list(zeroeval.read(tmp_path, words))
    assert {item.source for item in rows} == {"zeroeval-cruxeval-o", "zeroeval-gsm8k", "zeroeval-math-l5"}
    assert [item.scores["gemma-2-2b-it"] for item in rows] == [1.0, 0.0] * 3


def test_a_sum_without_an_answer_is_right_as_published_and_wrong_when_mended(zero, tmp_path, words):
    zero([("I would rather not say", "18")])
    published = {item.task: item.scores["gemma-2-2b-it"] for item in zeroeval.read(tmp_path, words)}
    mended = {item.task: item.scores["gemma-2-2b-it"] for item in zeroeval.read_mended(tmp_path, words)}
    assert published == {"cruxeval-o": 0.0, "gsm8k": 1.0, "math-l5": 1.0}
    assert mended == dict.fromkeys(published, 0.0)


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ('{"answer": "18"}', "18"),
        ('words {"reasoning": "a {b} c", "answer": 7} more {"answer": 9}', "7"),
        ('{"reasoning": "a "quoted" word", "answer": "12"}', "12"),
        ('{"reasoning": "cut", "answer": 5, ', "5"),
        ("answer: 31, surely", "31"),
        ("{ {", None),
        ("no idea", None),
    ],
)
def test_an_answer_is_found_where_the_format_is_kept_or_nearly(output, answer):
    assert zeroeval.answer_in(output) == answer


@pytest.mark.parametrize(("answer", "same"), [("$70,000", True), ("70000 dollars", True), ("7/2", False), ("", False)])
def test_sums_are_compared_by_their_first_number(answer, same):
    assert zeroeval.same_number(answer, "# 70000") is same


def test_a_fraction_counts_as_its_value():
    assert zeroeval.same_number("7/2", "3.5")


@pytest.mark.parametrize("answer", ["abc", "'abc'", '"abc"'])
def test_quotes_around_a_literal_do_not_matter(answer):
    assert zeroeval.same_literal(answer, "'abc'")


def test_literals_of_one_value_are_the_same():
    assert zeroeval.same_literal('{"a": [1]}', "{'a': [1]}")
    assert not zeroeval.same_literal("[1, 2", "[1, 2]")


@pytest.mark.parametrize(
    ("file", "model"),
    [
        ("Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b-instruct"),
        ("Meta-Llama-3.1-405B-Instruct@hyperbolic", "llama-3.1-405b-instruct"),
        ("Qwen2.5-72B-Instruct", "qwen2.5-72b-instruct"),
    ],
)
def test_one_model_has_one_name(file, model):
    assert zeroeval.model_name(file) == model


def test_zeroeval_names_the_entry_without_an_output(put, zero, tmp_path, words):
    zero([(said("1"), "1")])
    put(f"{zeroeval.RESULTS}/gsm/a.json", [{"id": 0, "question": "q", "answer": "1", "output": []}])
    with pytest.raises(OutcomeError, match=r"a\.json: entry 0: 'output' must hold a text"):
        list(zeroeval.read(tmp_path, words))
