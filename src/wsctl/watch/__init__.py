"""The engines behind subscribe, ordering-check and emit: a Feed and checks. Nothing here prints."""
