"""What a run watches over: the money that it need not spend."""
