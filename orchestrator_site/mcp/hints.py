"""Hints in the words of an assistant: the tools to call."""

from __future__ import annotations

from orchestrator_site.kernel.errors import Hint

HINTS: dict[Hint, str] = {
    Hint.NAME_PROJECT: "Call orchestrator_initialize_session with project_dir, the absolute path of the project's "
    "folder, and send the session_id it returns with every call.",
    Hint.OPEN_SESSION: "Call orchestrator_initialize_session for a new one.",
    Hint.PLAN: "Plan the job with orchestrator_plan_task.",
    Hint.CLAIM_NEXT: "Take another task: call orchestrator_execute_subtask without task_id.",
    Hint.CLAIM_NEXT_OR_TAKE_OVER: "Take another task: call orchestrator_execute_subtask without task_id. Only if that "
    "session is gone, call it with take_over=true.",
    Hint.FINISH_YOURS: "Finish it with orchestrator_complete_subtask, or release it with orchestrator_update_task.",
    Hint.ANY_SPECIALIST: "Omit specialist_type.",
    Hint.WAIT: "Try again later.",
    Hint.SEE_TASK: "See orchestrator_get_status(task_id).",
    Hint.LIST_TASKS: "orchestrator_get_status lists the tasks; filter them by status.",
    Hint.REMOVE_DEPENDENCY: "Remove the dependency with orchestrator_update_task.",
    Hint.RETRY_OR_UNBLOCK: "Retry or unblock it with orchestrator_update_task.",
    Hint.APPROVE: "A person approves it, or you with orchestrator_update_task(action='approve').",
    Hint.SYNTHESIZE: "Call orchestrator_synthesize_results, or plan more with orchestrator_plan_task.",
    Hint.LIST_ARTIFACTS: "orchestrator_synthesize_results names a plan's artifacts.",
    Hint.LIST_UPLOADS: "Begin one with orchestrator_store_artifact; its status without an upload_id lists open ones.",
    Hint.UPLOAD: "Send it in parts with orchestrator_store_artifact (toolset artifacts), then complete with its "
    "upload_ids.",
}
