"""3D joints to angles and repetitions; cleaning; markers to joints."""
